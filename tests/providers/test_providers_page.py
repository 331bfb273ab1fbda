"""docs/reference/providers-file.md, whose examples are read."""

import re
from pathlib import Path

import attrs
import pytest

from exai_trio.providers.catalogue import ModelInfo, Price, load_catalogue
from exai_trio.providers.providers_file import _Provider, parse_providers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "providers-file.md").read_text(
    "utf-8"
)
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_can_be_used(example):
    """As it stands."""
    assert parse_providers(example, load_catalogue(), {"HUB_API_KEY": "k"}, 60)


def test_the_page_has_every_field():
    """Of a provider, of a model and of a price, and says whose a key variable may be."""
    of_model = {field.name for field in attrs.fields(ModelInfo)} - {
        "provider",
        "listed",
        "served_as",
    }
    names = of_model | {field.name for field in (*attrs.fields(_Provider), *attrs.fields(Price))}
    written = set(
        re.findall(r"^\[*(?:provider\.)?(\w+)(?:\]\])?(?: =|\s)", EXAMPLES[-1], re.MULTILINE)
    )
    inline = set(re.findall(r"(\w+) = ", EXAMPLES[-1]))

    assert set() == names - written - inline


def test_the_page_names_the_time_that_a_local_model_has():
    """The figure is the code's."""
    (endpoint,) = parse_providers(EXAMPLES[0], load_catalogue(), {}, 60).endpoints

    assert f"has {endpoint.limits.first_byte_s:g} s to its first word" in PAGE
