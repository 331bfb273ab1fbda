"""One provider written into, or taken out of, the text of EXAI_PROVIDERS_FILE."""

import tomllib

import pytest
from hypothesis import given, strategies as st

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.providers.providers_text import Entry, entries_of, with_provider, without_provider

LOCAL = Entry(name="local", base_url="http://127.0.0.1:8080/v1")
OTHERS = """\
# Mine.

# The hub.
[[provider]]  # of the team
name = "hub"
base_url = "https://hub.example/v1"
key_variable = "HUB_API_KEY"
[[provider.model]]
name = "a"
context_window = 1

# Prices.
[[provider]]
name = "glm"
[[provider.model]]
name = "glm-4.6"
price = { input = 1, output = 2 }
"""


@pytest.mark.parametrize("text", ["", OTHERS, OTHERS.rstrip(), "# nothing but words"])
def test_what_was_added_is_read_and_taken_out_again(text):
    """The rest stays byte for byte, but for a line's missing end."""
    added = with_provider(text, LOCAL)

    assert {"name": "local", "base_url": "http://127.0.0.1:8080/v1"} == entries_of(added)[-1]
    assert added.startswith(text)
    assert text.rstrip("\n") == without_provider(added, "local").rstrip("\n")


def test_a_key_variable_and_windows_are_written():
    """As the format has them."""
    entry = Entry(
        name="hub", base_url="https://x/v1", key_variable="HUB_API_KEY", windows=(("m", 5),)
    )

    assert {
        "name": "hub",
        "base_url": "https://x/v1",
        "key_variable": "HUB_API_KEY",
        "model": [{"name": "m", "context_window": 5}],
    } == entries_of(with_provider("", entry))[0]


def test_one_in_the_middle_goes_with_its_models_and_no_more():
    """Comments about what comes next stay."""
    assert OTHERS[: OTHERS.index("[[provider]]  #")] + OTHERS[
        OTHERS.index("# Prices.") :
    ] == without_provider(OTHERS, "hub")


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (OTHERS, Entry(name="hub", base_url="http://x/v1")),
        ("", Entry(name="No Name", base_url="http://x/v1")),
        ("", Entry(name="x", base_url="ftp://x")),
        ("[[provider]\n", LOCAL),
        ("provider = []\n", LOCAL),
        ("typo = 1\n", LOCAL),
    ],
)
def test_what_the_file_could_not_hold_is_refused(text, entry):
    """A name twice, a name or an address that is none, a file that is broken."""
    with pytest.raises(ArgumentError):
        with_provider(text, entry)


def test_a_name_that_is_not_there_is_told_with_those_that_are():
    """Nothing is changed."""
    with pytest.raises(NotFoundError, match="there: hub, glm"):
        without_provider(OTHERS, "hubb")


def test_what_is_written_in_another_way_is_left_to_a_person():
    """Rather than taken out wrongly."""
    with pytest.raises(ArgumentError, match="by hand"):
        without_provider('provider = [{ name = "hub" }, { name = "b" }]\n', "hub")


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


@given(TEXTS, st.integers(1, 10**9))
def test_any_name_of_a_model_is_written_so_that_it_is_read(name, window):
    """Whatever a server calls its models."""
    entry = Entry(name="x", base_url="http://127.0.0.1/v1", windows=((name, window),))
    (written,) = tomllib.loads(with_provider("", entry))["provider"]

    assert [{"name": name, "context_window": window}] == written["model"]
