"""EXAI_PROVIDERS_FILE."""

import pytest

from exai_trio.errors import ArgumentError
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.providers_file import parse_providers

WHOLE = """
[[provider]]
name = "router"
base_url = "https://router.example/v1"
key_variable = "ROUTER_API_KEY"
max_inflight = 2
stream_s = 100

[[provider.model]]
name = "some/model"
context_window = 64_000
capabilities = ["vision"]
price = { input = 1.0, output = 3.0, currency = "EUR" }

[[provider]]
name = "local"
base_url = "http://127.0.0.1:11434/v1"

[[provider]]
name = "glm"
[[provider.model]]
name = "glm-4.6"
price = { input = 0.6, output = 2.2, cached = 0.11 }
"""


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def test_a_whole_file(catalogue):
    """Endpoints with their key, limits and permits; models with limits and prices."""
    further = parse_providers(WHOLE, catalogue, {"ROUTER_API_KEY": "secret"}, idle_s=60)

    router, local = further.endpoints
    assert (router.name, router.key, router.max_inflight, router.limits.stream_s) == (
        "router",
        "secret",
        2,
        100,
    )
    assert router.configured
    assert "secret" not in repr(router)
    assert local.configured  # wants no key
    assert further.models[0].price.currency == "EUR"


def test_a_known_model_keeps_what_the_file_does_not_say(catalogue):
    """A price for glm-4.6 leaves its limits as they are."""
    further = parse_providers(WHOLE, catalogue, {}, idle_s=60)

    model = catalogue.with_models(further.models).find("glm-4.6")

    assert model.context_window == 204_800
    assert model.price.cached == 0.11


def test_a_missing_key_leaves_the_endpoint_unconfigured(catalogue):
    """And it says which variable to set."""
    router = parse_providers(WHOLE, catalogue, {}, idle_s=60).endpoints[0]

    assert not router.configured
    assert "ROUTER_API_KEY" in router.remedy


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nonsense", "Expected"),
        ("other = 1", "unknown other"),
        ("provider = 3", "array"),
        ("provider = [3]", "object"),
        ('[[provider]]\nbase_url = "https://x"', "name"),
        ('[[provider]]\nname = "Big Name"\nbase_url = "https://x"', "no provider name"),
        ('[[provider]]\nname = "x"\nbase_url = "ftp://x"', "base_url must begin"),
        ('[[provider]]\nname = "x"\nbase_url = "https://x"\nkey = "s"', "unknown key"),
        ('[[provider]]\nname = "x"\nbase_url = "https://x"\nmax_inflight = 0', "above 0"),
        ('[[provider]]\nname = "x"\nbase_url = "https://x"\nmax_inflight = "many"', "int"),
        ('[[provider]]\nname = "glm"\nbase_url = "https://x"', "unknown base_url"),
        (
            '[[provider]]\nname = "x"\nbase_url = "https://x"\n[[provider]]\nname = "x"\nbase_url = "https://y"',
            "twice",
        ),
        (
            '[[provider]]\nname = "x"\nbase_url = "https://x"\n[[provider.model]]\nname = "m"\nprize = 3',
            "unknown prize",
        ),
        (
            '[[provider]]\nname = "x"\nbase_url = "https://x"\n[[provider.model]]\nname = "m"\nprice = {in = 3}',
            "unknown in",
        ),
        (
            '[[provider]]\nname = "x"\nbase_url = "https://x"\n[[provider.model]]\nname = "m"\nprice = 3',
            "object",
        ),
    ],
)
def test_a_fault_names_the_setting_and_the_place(catalogue, text, complaint):
    """Whatever is wrong, it is an ArgumentError about EXAI_PROVIDERS_FILE."""
    with pytest.raises(ArgumentError, match=complaint) as caught:
        parse_providers(text, catalogue, {}, idle_s=60)

    assert caught.value.message.startswith("EXAI_PROVIDERS_FILE: ")
    assert caught.value.details == {"field": "EXAI_PROVIDERS_FILE"}
