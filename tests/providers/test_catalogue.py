"""The catalogue that ships, and look-up in it."""

import pytest

from exai_trio.providers.base import OfferedModel
from exai_trio.providers.catalogue import (
    ModelInfo,
    Price,
    described,
    load_catalogue,
    parse_catalogue,
)


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def test_every_entry_is_complete(catalogue):
    """A model has a provider, a context window and a name that stands once; `auto` and successors name models there are."""
    names = [name.lower() for model in catalogue.models for name in (model.name, *model.aliases)]

    assert len(names) == len(set(names))
    assert all(
        model.context_window and model.provider in {"glm", "kimi"} for model in catalogue.models
    )
    assert all(catalogue.find(name) for name in catalogue.auto)
    assert all(catalogue.find(gone.successor) for gone in catalogue.gone)


def test_no_model_is_filed_under_the_other_vendor(catalogue):
    """A kimi model never reaches GLM, nor the reverse."""
    assert all(model.name.startswith(f"{model.provider}-") for model in catalogue.models)


@pytest.mark.parametrize(
    "name",
    [
        "kimi-latest",
        "kimi-k2-0905-preview",
        "kimi-k2-0711-preview",
        "moonshot-v1-8k",
        "moonshot-v1-128k-vision-preview",
    ],
)
def test_names_that_users_still_have_in_their_settings_have_a_successor(catalogue, name):
    """Each of the original project's defaults is answered by a model that exists."""
    assert catalogue.find(name) is None
    assert catalogue.successor_of(name).successor == "kimi-k2.6"


@pytest.mark.parametrize(
    ("name", "context", "output"),
    [
        ("glm-4.6", 204_800, 131_072),
        ("glm-4.5", 131_072, 98_304),
        ("glm-4.5v", 65_536, 16_384),
        ("kimi-k3", 1_000_000, 1_048_576),
    ],
)
def test_limits(catalogue, name, context, output):
    """Context window and output limit are the vendor's."""
    model = catalogue.find(name)

    assert (model.context_window, model.output_limit) == (context, output)


def test_unknown_prices_stay_unknown(catalogue):
    """Only the models that are known to be free have a price."""
    assert [model.name for model in catalogue.models if model.price] == [
        "glm-4.7-flash",
        "glm-4.5-flash",
    ]


def test_a_price_counts_cached_tokens_apart():
    """One million of each kind costs the sum of the three prices."""
    price = Price(input=2.0, output=8.0, cached=0.5)

    assert price.of(2_000_000, 1_000_000, 1_000_000) == pytest.approx(2.0 + 0.5 + 8.0)


def test_cached_tokens_without_a_price_cost_like_others():
    """And more of them than there was input is not possible."""
    assert Price(input=2.0, output=0.0).of(1_000_000, 0, 9_000_000) == pytest.approx(2.0)


def test_a_further_endpoint_cannot_take_over_a_name(catalogue):
    """Of two models of one name the shipped one is found; the other is found at its provider."""
    other = ModelInfo(name="glm-4.6", provider="elsewhere")

    both = catalogue.with_models([other])

    assert both.find("GLM-4.6").provider == "glm"
    assert both.find_at("elsewhere", "glm-4.6") == other


def test_kimis_own_list_adds_what_is_new_and_corrects_what_is_known(catalogue):
    """A new model joins with what the list says of it; a known one keeps the rest of its entry."""
    offered = (
        OfferedModel(name="kimi-k9", context_window=2_000_000, sees_images=True, reasons=True),
        OfferedModel(name="kimi-k2.6", context_window=300_000),
    )

    after = catalogue.with_models(described(offered, catalogue))

    assert after.find("kimi-k9").sees
    assert after.find("kimi-k2.6").context_window == 300_000
    assert after.find("kimi-k2.6").thinking == "toggle"
    assert len(after.models) == len(catalogue.models) + 1


@pytest.mark.parametrize("text", ["[[model]]\nname = 1", "auto = 3", "= nonsense"])
def test_a_broken_catalogue_is_a_value_error(text):
    """Whatever is wrong with the file, there is one kind of error to catch."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_catalogue(text)
