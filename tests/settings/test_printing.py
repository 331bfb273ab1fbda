"""Settings as text."""

from pathlib import Path

import attrs
import pytest

from exai_trio.config import Config
from exai_trio.settings.load import load
from exai_trio.settings.printing import example, rows, text_of
from exai_trio.settings.table import PRESETS, SETTINGS

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"


def test_the_example_is_the_one_that_is_printed():
    """`.env.example` is written by `exai config --example` and by nobody else."""
    assert EXAMPLE.read_text(encoding="utf-8") == example()


def test_the_example_holds_the_defaults():
    """Whoever uncomments every line of the example changes nothing."""
    lines = [line[2:] for line in example().splitlines() if line.startswith("# ") and "=" in line]
    settings = [line for line in lines if line.split("=")[0].replace("_", "").isupper()]
    loaded = load({}, {}, "\n".join(settings))

    assert len(SETTINGS) == len(settings)
    assert (load({}, {}).config, ()) == (loaded.config, loaded.faults)


def test_each_field_is_one_setting():
    """No setting is read and ignored, and no field cannot be set; keys of further providers are found by their names."""
    fields = {field.name for field in attrs.fields(Config)} - {"provider_keys", "withheld_keys"}

    assert fields == {setting.field for setting in SETTINGS}
    assert all(preset.keys() <= fields for preset in PRESETS.values())


def test_secrets_are_masked_in_the_table():
    """The table says that a secret is set, and not what it is."""
    loaded = load({}, {"GLM_API_KEY": "very-secret", "EXAI_WS_TOKEN": "very-secret"})
    shown = {row.variable: row.value for row in rows(loaded)}

    assert ("<set>", "<set>", "") == (
        shown["GLM_API_KEY"],
        shown["EXAI_WS_TOKEN"],
        shown["KIMI_API_KEY"],
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (2.5, "2.5"),
        (300.0, "300"),
        (8079, "8079"),
        (None, ""),
        ("x", "x"),
        (frozenset({"b", "a"}), "a,b"),
        ((Path("/a"), Path("/b")), "/a;/b"),
        (("https://a", "https://b"), "https://a,https://b"),
    ],
)
def test_a_value_is_written_as_it_is_read(value: object, text: str):
    """What is printed can be put into a variable again."""
    assert text == text_of(value, ";")
