"""KEY=VALUE to arguments."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.commands.calling.key_value import WordError, arguments, split

SCHEMA = {
    "properties": {
        "prompt": {"type": "string"},
        "temperature": {"type": "number"},
        "count": {"type": "integer"},
        "stream": {"type": "boolean"},
        "files": {"type": "array", "items": {"type": "string"}},
        "steps": {"type": "array", "items": {"type": "integer"}},
        "options": {"type": "object"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    }
}


def read(path: str) -> str:
    return {"-": "from stdin", "a.txt": "from a file"}[path]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("prompt=42", "42"),
        ("prompt=a=b", "a=b"),
        ("prompt=", ""),
        ("prompt=@a.txt", "from a file"),
        ("prompt=@-", "from stdin"),
        ("prompt=@@ada", "@ada"),
        ("temperature=1", 1),
        ("temperature=0.5", 0.5),
        ("count=3", 3),
        ("stream=yes", True),
        ("stream=false", False),
        ("files=/a.py", ["/a.py"]),
        ('files=["/a.py","/b.py"]', ["/a.py", "/b.py"]),
        ("steps=3", [3]),
        ('options={"a":1}', {"a": 1}),
        ("either=7", 7),
        ("either=seven", "seven"),
        ("unknown=x", "x"),
    ],
)
def test_a_value_has_the_type_that_the_schema_names(word: str, value: object):
    """Strings stay as typed; everything else is JSON, and a list may be given as its one element."""
    key = word.split("=", maxsplit=1)[0]

    assert {key: value} == arguments(split([word], read), SCHEMA)


def test_a_key_that_stands_twice_is_a_list():
    """Several files are several words."""
    pairs = split(["files=/a", "files=/b", 'files=["/c"]'], read)

    assert {"files": ["/a", "/b", "/c"]} == arguments(pairs, SCHEMA)


@pytest.mark.parametrize(
    "word",
    [
        "count=many",
        "count=1.5",
        "stream=perhaps",
        "steps=x",
        "options=[]",
        "temperature=NaN",
        "temperature=-Infinity",
        "temperature=1e999",
    ],
)
def test_a_value_of_another_type_is_refused(word: str):
    """What the schema does not allow is said before anything is sent."""
    with pytest.raises(WordError, match="the tool wants"):
        arguments(split([word], read), SCHEMA)


@pytest.mark.parametrize("word", ["prompt", "=x", ""])
def test_a_word_without_a_key_is_refused(word: str):
    """Arguments have names."""
    with pytest.raises(WordError, match="is not KEY=VALUE"):
        split([word], read)


@pytest.mark.parametrize("word", ["prompt=\udcff", "prompt=@@\udcff", "\udcff=x"])
def test_a_word_that_is_no_utf_8_is_refused(word: str):
    """What cannot be sent is said before anything is; the name of a file may be any."""
    with pytest.raises(WordError, match="is not UTF-8"):
        split([word], read)
    assert (("prompt", "\udcff.txt"),) == split(["prompt=@\udcff.txt"], lambda path: path)


@pytest.mark.parametrize(
    "fault", [FileNotFoundError(2, "No such file"), RuntimeError("Could not determine home")]
)
def test_a_file_that_cannot_be_read_is_named(fault: Exception):
    """The message says how to write a literal @, also where ~ names nobody."""

    def refuse(path: str) -> str:
        raise fault

    with pytest.raises(WordError, match="write @@ for a literal @"):
        split(["prompt=@ada"], refuse)


def test_without_a_schema_json_is_json():
    """A tool that is not listed gets its values as they look."""
    assert {"a": 1, "b": "x"} == arguments((("a", "1"), ("b", "x")), None)


@given(st.lists(st.tuples(st.sampled_from([*SCHEMA["properties"], "other"]), st.text())))
def test_any_words_give_arguments_or_a_word_error(pairs):
    """No text breaks the typing."""
    try:
        arguments(pairs, SCHEMA)
    except WordError:
        pass
