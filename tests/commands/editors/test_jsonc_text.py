"""JSON with comments, changed in one place."""

import json

import pytest
from hypothesis import given, strategies as st

from exai_trio.commands.editors.json_spans import Unreadable
from exai_trio.commands.editors.jsonc_text import as_value, value_at, with_value, without_value

PATH = ("mcpServers", "exai")
ENTRY = {"command": "/p", "args": ["-P"], "env": {}}
TEXTS = [
    "",
    "{}",
    "{ }\n",
    '{"a": 1}',
    '{"a": 1, }',
    '{\n  "a": 1\n}\n',
    '{\n  "a": 1, // about a\n}\n',
    '{\n  "a": 1 // about a\n  // and the end\n}\n',
    '{\n\t"mcpServers": {\n\t\t"b": {}\n\t}\n}',
    '{\n  "mcpServers": {}\n}',
    '{\n  "mcpServers": { /* none yet */ },\n  "z": [1, 2,]\n}',
    '{\r\n    "mcpServers": {\r\n        "b": {"command": "x"},\r\n    },\r\n}\r\n',
    '\ufeff// mine\n{"mcpServers": {"b": {}}, "url": "https://x//y"}',
    '{ // c\n "mcpServers": { // d\n } }',
    '{"mcpServers": {"exai": {"command": "old"}, "b": 1}}',
    '{\n  "mcpServers": {\n    "b": 1, // b\n    "exai": 7 // old\n  }\n}',
    '{\n  "mcpServers": { // c\n    "exai": 7, "b": 2}\n}',
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_value_is_put_in_and_all_else_stays(text):
    """What is read afterwards is what was there, and the value; every comment is still in the text."""
    changed = with_value(text, PATH, ENTRY)
    expected = as_value(text)
    expected.setdefault("mcpServers", {})["exai"] = ENTRY

    assert expected == as_value(changed)
    assert [part for part in text.split("\n") if "//" in part and "old" not in part] == [
        part for part in text.split("\n") if "//" in part and "old" not in part and part.rstrip("\r") .rpartition("//")[2] in changed
    ]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_the_value_is_taken_out_and_all_else_stays(text):
    """Whatever the commas and comments around it, the text can be read without it."""
    changed = with_value(text, PATH, ENTRY)
    expected = as_value(changed)
    del expected["mcpServers"]["exai"]

    assert expected == as_value(without_value(changed, PATH))
    assert text.count("//") == without_value(changed, PATH).count("//")


def test_lines_are_indented_as_the_others():
    """Tabs stay tabs, and the lines' ends are the file's."""
    text = '{\r\n\t"a": {\r\n\t\t"b": 1\r\n\t}\r\n}'

    assert '\r\n\t\t"x": {\r\n\t\t\t"y": 2\r\n\t\t}\r\n\t}' in with_value(
        text, ("a", "x"), {"y": 2}
    )


def test_a_table_that_is_left_empty_goes_too_if_asked():
    """And only then."""
    text = '{"mcpServers": {"exai": 1}, "b": 2}'

    assert {"mcpServers": {}, "b": 2} == as_value(without_value(text, PATH))
    assert {"b": 2} == as_value(without_value(text, PATH, table_too=True))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a" 1}', 1),
        ('{"a": 1\n "b": 2}', 2),
        ('{\n"a": tru}', 2),
        ('{"a": [1 2]}', 1),
        ('{"a": 1', 1),
        ("[" * 200, 1),
        ('{"a": "\n"}', 1),
        ("{} {}", 1),
        ("{'a': 1}", 1),
        ('{"a": 01}', 1),
    ],
)
def test_what_is_broken_is_said_with_its_line(text, line):
    """And never guessed."""
    with pytest.raises(Unreadable, match=f"line {line}: "):
        as_value(text)


@pytest.mark.parametrize("text", ["[]", "7", '{"mcpServers": null}', '{"mcpServers": []}'])
def test_what_is_no_object_holds_no_servers(text):
    """Nothing is put in its place."""
    with pytest.raises(Unreadable, match="no object"):
        with_value(text, PATH, ENTRY)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.dictionaries(st.text(max_size=4), JSON, max_size=3), st.sampled_from([None, 1, 4, "\t"]), st.booleans())  # fmt: skip
def test_any_document_keeps_what_it_holds(document, servers, indent, ascii_only):
    """However it is laid out: put in, and taken out again."""
    servers.pop("exai", None)
    text = json.dumps({**document, "mcpServers": servers}, indent=indent, ensure_ascii=ascii_only)
    changed = with_value(text, PATH, ENTRY)

    assert {**json.loads(text), "mcpServers": {**servers, "exai": ENTRY}} == json.loads(changed)
    assert json.loads(text) == json.loads(without_value(changed, PATH))
    assert ENTRY == value_at(changed, PATH)
