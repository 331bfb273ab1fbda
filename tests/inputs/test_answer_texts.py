"""The text of an answer: characters that come in halves, and thinking between tags."""

import json

import pytest
from hypothesis import given, strategies as st

from exai_trio.providers.answers.accumulator import Assembly
from exai_trio.providers.answers.characters import Pieces, whole
from exai_trio.providers.answers.think_tags import ThinkTags
from exai_trio.providers.base import TextDelta


def raw(content, field="content"):
    """An event whose JSON is written by hand: `content` is what stands between the quotes."""
    return b'data: {"choices": [{"delta": {"' + field.encode() + b'": "' + content + b'"}}]}\n\n'


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([rb"\ud83d", rb"\ude00"], "😀"),
        ([rb"so \ud83d", rb"\ude42 yes"], "so 🙂 yes"),
        ([rb"\ud83d\ude00"], "😀"),
        ([rb"bad \ud83d half"], "bad \ufffd half"),
        ([rb"\ude00 alone"], "\ufffd alone"),
        ([rb"at the end \ud83d"], "at the end \ufffd"),
        ([rb"\ud83d", rb"\ud83d", rb"\ude00"], "\ufffd😀"),
        ([rb"\ud83d", rb"x"], "\ufffdx"),
        ([b"a\xe4", b"\xbd\xa0b"], "a你b"),
        ([b"\xf0", b"\x9f", b"\x98", b"\x80"], "😀"),
        ([b"a\xf0\x9f", b"\x98\x80b"], "a😀b"),
        ([b"one bad \xff byte"], "one bad \ufffd byte"),
        ([b"cut \xe4\xbd"], "cut \ufffd"),
        ([b"\xe9t\xe9"], "\ufffdt\ufffd"),
        ([b"a raw\ttab"], "a raw\ttab"),
    ],
)
def test_characters_in_halves(read, streams, field, pieces, text):
    """Halves become the character they mean; what stays alone is U+FFFD, and no chunk ever holds a half."""
    said = [raw(piece, field) for piece in pieces]
    rest = [] if field == "content" else [streams.chunk({"content": "yes"})]

    found = read(*said, *rest, streams.chunk({}, "stop"), streams.DONE)

    assert text == (found.text if field == "content" else found.reasoning)
    for piece in (*found.answer.text, *found.answer.reasoning):
        piece.encode()


def test_each_piece_is_whole(read):
    """What a listener hears piece by piece can be sent on."""
    pieces = Pieces()

    heard = [pieces.feed(piece) for piece in ("so ", "\ud83d", "\ude42", " yes")] + [pieces.end()]

    assert ["so ", "", "🙂", " yes", ""] == heard


@given(st.text())
def test_any_text_in_halves(text):
    """Cut between any two UTF-16 units, or any two bytes, the same text comes out."""
    units = text.encode("utf-16-le")
    halves = [
        units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)
    ]
    strays = [bytes([byte]).decode("utf-8", "surrogateescape") for byte in text.encode()]

    for pieces in (halves, strays):
        joined = Pieces()
        assert text == "".join(map(joined.feed, pieces)) + joined.end()


@given(st.lists(st.text(st.characters(codec=None), max_size=6), max_size=6))
def test_any_halves_make_whole_text(pieces):
    """Nothing but whole characters comes out, and all of those that came in."""
    joined = Pieces()
    found = "".join(map(joined.feed, pieces)) + joined.end()

    found.encode()
    assert len(whole("".join(pieces))) >= len(found.replace("\ufffd", ""))


def test_half_characters_beside_the_text(read, streams):
    """In the model's name, in search results and arguments: all can be sent on."""
    call = b'"tool_calls": [{"id": "\\ud83d", "function": {"name": "f", "arguments": {"a": "\\ud83d"}}}]'
    said = (
        b'data: {"model": "m\\ud83d", "web_search": [{"title": "\\ud83d", "x": ["\\ude00"]}], "choices": [{"delta": {'
        + call
        + b'}, "finish_reason": "stop"}]}\n\n'
    )

    found = read(said, streams.DONE)

    json.dumps([found.answer.finish.web_results, found.reader.model], ensure_ascii=False).encode()
    assert '{"a":"\ufffd"}' == found.answer.tool_calls[0].arguments


TAGS = {
    "closed without being opened": ("The user asks. I should say 42.\n</think>\n\n42", "42", "The user asks. I should say 42.\n"),
    "closed in a line": ("I should say 42.</think>42", "42", "I should say 42."),
    "closed at once": ("</think>The answer", "The answer", ""),
    "closed after white space": ("\n\n</think>\n\nThe answer", "The answer", ""),
    "opened and closed": ("<think>hm</think>\n\nyes", "yes", "hm"),
    "opened and closed twice": ("<think>hm</think>\n<think>hm</think>\nyes", "yes", "hmhm"),
    "closed twice": ("<think>hm</think>\n</think>\nyes", "yes", "hm"),
    "never closed": ("<think>The answer is 42.", "The answer is 42.", None),
    "closed at the very end": ("The answer is 42.</think>", "The answer is 42.", ""),
    "closed at the end of lines": ("The answer is 42.\n</think>\n", "The answer is 42.\n", ""),
    "spoken of in code": ("Write `</think>` at the end.", "Write `</think>` at the end.", ""),
    "spoken of in a block": ("```\na</think>b\n```\nSo.", "```\na</think>b\n```\nSo.", ""),
    "spoken of in quotes": ('The tag "</think>" ends it.', 'The tag "</think>" ends it.', ""),
    "spoken of in pairs": ("It writes <think>x</think> first.", "It writes <think>x</think> first.", ""),
    "only alike": ("a </thin b < /think>", "a </thin b < /think>", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TAGS)
def test_thinking_between_tags(read, streams, provider, name):
    """Taken out where it is thinking, left where the answer speaks of it: whole, and letter by letter."""
    content, text, thought = TAGS[name]

    for pieces in ([content], list(content)):
        found = read(streams.stream(*pieces), provider=provider)
        assert text == found.text
        assert thought in {None, found.reasoning}


def test_a_stray_end_after_thinking_of_its_own(read, streams):
    """Where the thinking came in a field, all text is the answer, and only the tag goes."""
    found = read(streams.chunk({"reasoning_content": "hm"}), streams.stream("The </think>answer"))

    assert ("The answer", "hm") == (found.text, found.reasoning)


def test_unmarked_thinking_is_told(read, streams):
    """The user hears why the answer reads like thinking."""
    assert read(streams.stream("<think>42")).answer.finish.notices


def test_the_text_retracted_is_no_text():
    """What was thinking counts as thinking, with its size."""
    answer, tags = Assembly(), ThinkTags()
    for delta in [*tags.feed("so so\n</think>\n"), *tags.feed("42"), *tags.end()]:
        answer.add(delta)

    assert (["42"], 2, 6) == (answer.text, answer.text_size, answer.reasoning_size)


@given(st.lists(st.text("<think/>`ab \n", max_size=9), max_size=6))
def test_no_letter_is_lost(pieces):
    """Every letter comes out, but for tags and the white space around them; the cuts make no difference."""

    def split(pieces):
        answer, tags = Assembly(), ThinkTags()
        for delta in [found for piece in pieces for found in tags.feed(piece)] + tags.end():
            answer.add(delta)
        return "".join(answer.reasoning), "".join(answer.text)

    def letters(text):
        return "".join(text.replace("<think>", "").replace("</think>", "").split())

    thought, text = split(pieces)
    assert letters(thought + "\n" + text) == letters("".join(pieces)) or "<think>" in text
    assert [part.split() for part in split(["".join(pieces)])] == [thought.split(), text.split()]


def test_a_text_delta_is_never_empty():
    """Nobody hears of nothing."""
    tags = ThinkTags()

    found = [
        *tags.feed("<think>"),
        *tags.feed("</think>"),
        *tags.feed(" "),
        *tags.feed("a"),
        *tags.end(),
    ]

    assert [TextDelta("a")] == found
