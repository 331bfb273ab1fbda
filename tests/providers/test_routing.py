"""Which provider answers for a name."""

import pytest

from exai_trio.errors import NotFoundError, ServiceUnavailableError
from exai_trio.providers.catalogue import ModelInfo, load_catalogue
from exai_trio.providers.routing import Router

REMEDIES = {"glm": "set GLM_API_KEY", "kimi": "set KIMI_API_KEY", "other": "set OTHER_API_KEY"}
OTHERS = [
    ModelInfo(name="big/model", provider="other", context_window=64_000),
    ModelInfo(name="glm-4.6", provider="other"),
]


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue().with_models(OTHERS)


@pytest.fixture
def router(catalogue):
    return Router(catalogue=catalogue, configured=("glm", "kimi", "other"), remedies=REMEDIES)


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("glm-4.6", "glm", "glm-4.6"),
        ("GLM-4.6", "glm", "glm-4.6"),
        (" kimi-k3 ", "kimi", "kimi-k3"),
        ("kimi", "kimi", "kimi-k2.6"),
        ("glm/glm-5", "glm", "glm-5"),
        ("big/model", "other", "big/model"),
        ("other/big/model", "other", "big/model"),
        ("other/glm-4.6", "other", "glm-4.6"),
        ("glm-9-not-yet-known", "glm", "glm-9-not-yet-known"),
        ("kimi-k9", "kimi", "kimi-k9"),
        ("glm/secret-model", "glm", "secret-model"),
        ("other/kimi-something", "other", "kimi-something"),
    ],
)
def test_a_name_goes_to_its_provider(router, name, provider, model):
    """By catalogue, by explicit provider, by prefix: always one place."""
    choice = router.choose(name)

    assert (choice.provider, choice.model.name, choice.notice) == (provider, model, None)


@pytest.mark.parametrize("name", ["glm/kimi-k2.6", "kimi/glm-4.6", "glm/kimi-k99", "kimi/glm-99"])
def test_a_model_never_goes_to_the_other_vendor(router, name):
    """Not even when the user says so."""
    with pytest.raises(NotFoundError, match="does not serve"):
        router.choose(name)


def test_a_gone_name_is_answered_by_its_successor_and_says_so(router):
    """The choice keeps the name asked for and has a notice."""
    choice = router.choose("kimi-k2-0905-preview")

    assert (choice.requested, choice.model.name) == ("kimi-k2-0905-preview", "kimi-k2.6")
    assert (
        choice.notice
        == "kimi-k2-0905-preview is no longer offered since May 2026; kimi-k2.6 answered in its place"
    )


def test_a_gone_name_at_its_provider_too(router):
    """`kimi/moonshot-v1-8k` is as gone as `moonshot-v1-8k`."""
    assert router.choose("kimi/moonshot-v1-8k").model.name == "kimi-k2.6"


def test_an_unknown_name_is_not_found_and_the_nearest_are_named(router):
    """Nothing is guessed, but the user is helped."""
    with pytest.raises(NotFoundError) as caught:
        router.choose("gml-4.6")

    assert "glm-4.6" in caught.value.message
    assert "glm-4.6" in caught.value.details["nearest"]


@pytest.mark.parametrize("name", ["\ud800", "x" * 10_000, "/", "glm/", "a/b/c", "*", "moonshot-v2"])
def test_odd_names_are_not_found(router, name):
    """Whatever a caller writes ends in one kind of error."""
    with pytest.raises(NotFoundError):
        router.choose(name)


@pytest.mark.parametrize("name", ["", "auto", "AUTO"])
@pytest.mark.parametrize(
    ("configured", "model"),
    [
        (("glm", "kimi"), "glm-4.6"),
        (("kimi",), "kimi-k2.6"),
        (("other",), "big/model"),
        (("kimi", "other"), "kimi-k2.6"),
    ],
)
def test_auto_takes_the_first_of_the_list_that_is_configured(catalogue, name, configured, model):
    """The same settings always give the same model."""
    router = Router(catalogue=catalogue, configured=configured, remedies=REMEDIES)

    assert router.choose(name).model.name == model


def test_auto_looks_at_images_and_length(router):
    """A prompt with images goes to a model that sees, a long one to a model that holds it."""
    assert router.choose("auto", images=True).model.name == "kimi-k2.6"
    assert router.choose("auto", prompt_tokens=180_000).model.name == "kimi-k2.6"
    assert router.choose("auto", prompt_tokens=700_000).model.name == "kimi-k3"


def test_auto_sees_with_glm_alone(catalogue):
    """With GLM only, images go to its model that sees."""
    router = Router(catalogue=catalogue, configured=("glm",), remedies=REMEDIES)

    assert router.choose("auto", images=True).model.name == "glm-4.6v"


def test_a_provider_without_a_key_names_what_to_set(catalogue):
    """The name is known, only its provider is missing: trying again does not help."""
    router = Router(catalogue=catalogue, configured=("kimi",), remedies=REMEDIES)

    with pytest.raises(ServiceUnavailableError, match="set GLM_API_KEY") as caught:
        router.choose("glm-4.6")
    assert not caught.value.retryable


def test_no_provider_at_all_names_every_way_out(catalogue):
    """Keys for each provider, and the simulator."""
    router = Router(catalogue=catalogue, configured=(), remedies=REMEDIES)

    with pytest.raises(ServiceUnavailableError) as caught:
        router.choose("auto")

    assert all(
        remedy in caught.value.message for remedy in (*REMEDIES.values(), "EXAI_SIMULATE=true")
    )


LOCALS = [
    ModelInfo(name="qwen2.5-coder:7b", provider="mine", context_window=8192),
    ModelInfo(name="llama3.2:latest", provider="mine"),
    ModelInfo(name="llama3.2:1b", provider="mine", context_window=8192),
    ModelInfo(name="THUDM/glm-4-9b", provider="mine", context_window=8192),
]


def local_router(*configured):
    return Router(
        catalogue=load_catalogue().with_models([*OTHERS, *LOCALS]),
        configured=configured,
        remedies={**REMEDIES, "mine": ""},
        local=frozenset({"mine"}),
    )


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("coder", "qwen2.5-coder:7b"),
        ("QWEN", "qwen2.5-coder:7b"),
        ("mine/coder", "qwen2.5-coder:7b"),
        ("llama3.2", "llama3.2:latest"),
        ("glm-4-9b", "THUDM/glm-4-9b"),
        ("mine/glm-4-9b", "THUDM/glm-4-9b"),
        ("mine/unheard-of", "unheard-of"),
        ("auto", "qwen2.5-coder:7b"),
    ],
)
def test_a_unique_part_of_a_local_models_name_is_enough(name, model):
    """In any case of letters, behind the provider's name too; what no name has goes to the server as it is."""
    choice = local_router("mine").choose(name)

    assert ("mine", model, name) == (choice.provider, choice.model.name, choice.requested)


def test_a_vendors_name_is_the_vendors_where_it_is_configured():
    """What begins with glm- goes to GLM, whoever else has a model of that name in part."""
    assert "glm" == local_router("glm", "mine").choose("glm-4-9b").provider


@pytest.mark.parametrize("name", ["llama", "mine/llama", "3.2:"])
def test_a_part_that_several_names_have_is_not_guessed(name):
    """They are named, in full."""
    with pytest.raises(NotFoundError, match=r"mine/llama3\.2:latest, mine/llama3\.2:1b"):
        local_router("mine").choose(name)


def test_behind_the_name_of_an_endpoint_elsewhere_a_name_is_whole():
    """Not all of its models are known, so a part of one may be another's name."""
    assert "big" == local_router("other", "mine").choose("other/big").model.name


@pytest.mark.parametrize("name", ["q", "/", ":", "--"])
def test_one_letter_is_no_part(name):
    """Nor are signs."""
    with pytest.raises(NotFoundError, match="no model is called"):
        local_router("mine").choose(name)


def test_an_unknown_window_of_a_local_model_is_noticed():
    """Of one elsewhere it is not: that says itself what is too long."""
    router = local_router("mine", "other")

    assert "llama3.2:latest holds is not known" in router.choose("llama3.2:latest").notice
    assert "is not known" in router.choose("mine/unheard-of").notice
    assert router.choose("coder").notice is None
    assert router.choose("other/glm-4.6").notice is None


def test_a_server_that_told_no_model_is_said_with_what_to_do():
    """It may not be running."""
    router = Router(
        catalogue=load_catalogue(),
        configured=("mine",),
        remedies={"mine": ""},
        local=frozenset({"mine"}),
    )

    with pytest.raises(NotFoundError, match="`exai providers test`"):
        router.choose("auto")
