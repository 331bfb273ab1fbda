"""What the texts of settings may be."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from exai_trio.settings import values as v
from exai_trio.settings.table import SETTINGS
from exai_trio.settings.values import Kind, Place

PLACE = Place(pathsep=":", user_home="/home/ada")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (v.switch(), "YES", True),
        (v.switch(), "0", False),
        (v.whole(1, 70_000), "65_536", 65_536),
        (v.seconds(0, 10), ".5", 0.5),
        (v.seconds(0, 1e4), "1e3", 1000.0),
        (v.choice("HS256", "HS384"), "hs384", "HS384"),
        (v.url(), "https://api.example.org/v4/", "https://api.example.org/v4"),
        (v.url(), "http://[::1]:8080/x", "http://[::1]:8080/x"),
        (v.path(), "~/exai", Path("/home/ada/exai")),
        (v.paths(), "/a : /b::", (Path("/a"), Path("/b"))),
        (v.tool_names(), "chat, self-check,,chat", frozenset({"chat", "self-check"})),
        (v.origins(), "https://a.example", ("https://a.example",)),
        (v.visible("a key"), "id.secret-1", "id.secret-1"),
        (v.host(), "my.host.", "my.host."),
        (v.host(), "::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ],
)
def test_an_allowed_text_becomes_its_value(kind: Kind, text: str, value: object):
    """Each kind turns its texts into one value of one type."""
    assert value == kind.parse(text, PLACE)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (v.switch(), "maybe"),
        (v.whole(1, 10), "11"),
        (v.whole(1, 10), "5.0"),
        (v.whole(1, 10), "٣"),
        (v.whole(0, 10), "9" * 5000),
        (v.seconds(0, 10), "nan"),
        (v.seconds(0, 10), "inf"),
        (v.seconds(0, 10), "1e999"),
        (v.seconds(0.1, 10), "0"),
        (v.choice("HS256"), "none"),
        (v.line(), "two\nlines"),
        (v.url(), "ftp://example.org"),
        (v.url(), "https://user:secret@example.org"),
        (v.url(), "https://example.org/?q=1"),
        (v.path(), "relative/place"),
        (v.path(), "~other/place"),
        (v.paths(), "/a:b"),
        (v.tool_names(), "chat,with space"),
        (v.origins(), "example.org"),
        (v.visible("a key"), "with space"),
        (v.visible("a key"), "schlüssel"),
        (v.host(), "my..host"),
        (v.host(), "."),
        (v.host(), "a" * 64 + ".org"),
        (v.host(), "hö.org"),
    ],
)
def test_any_other_text_is_refused(kind: Kind, text: str):
    """What is out of range or of another form is a ValueError, whatever the form."""
    with pytest.raises(ValueError):  # noqa: PT011  # the kinds raise it without a text
        kind.parse(text, PLACE)


@given(st.sampled_from(SETTINGS), st.text(min_size=1))
def test_no_text_breaks_a_parser(setting, text):
    """Any text gives a value or a ValueError for every setting there is."""
    try:
        setting.kind.parse(text, PLACE)
    except ValueError:
        pass
