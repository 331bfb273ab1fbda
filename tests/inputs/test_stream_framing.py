"""How a stream may be framed and cut: the text is the same."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from exai_trio.errors import BadAnswerError

BOM = b"\xef\xbb\xbf"
ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}
FRAMES = {
    "as it should be": lambda data: b"data: " + data + b"\n\n",
    "no blank": lambda data: b"data:" + data + b"\n\n",
    "blanks around": lambda data: b"data:   " + data + b"  \n\n",
    "blanks before": lambda data: b"  data: " + data + b"\n\n",
    "blank before the colon": lambda data: b"data : " + data + b"\n\n",
    "capital": lambda data: b"Data: " + data + b"\n\n",
    "one line end": lambda data: b"data: " + data + b"\n",
    "three line ends": lambda data: b"data: " + data + b"\n\n\n",
    "comment first": lambda data: b": keep-alive\n\ndata: " + data + b"\n\n",
    "comment between": lambda data: b"data: " + data + b"\n: ping\n\n",
    "all fields": lambda data: b"event: message\nid: 7\nretry: 3000\ndata: " + data + b"\n\n",
    "fields behind": lambda data: b"data: " + data + b"\nevent: message\nid: 7\n\n",
    "an unknown field": lambda data: b"x-trace: 1\ndata: " + data + b"\n\n",
    "empty data": lambda data: b"data:\n\ndata: " + data + b"\n\n",
    "null between": lambda data: b"data: null\n\ndata: " + data + b"\n\n",
    "nothing between": lambda data: b"data: {}\n\ndata: []\n\ndata: " + data + b"\n\n",
    "text between": lambda data: b"data: keep-alive\n\ndata: " + data + b"\n\n",
    "ping event": lambda data: b'event: ping\ndata: {"type": "ping"}\n\ndata: ' + data + b"\n\n",
    "NUL between": lambda data: b"\x00data: " + data + b"\n\n",
    "BOM at each": lambda data: BOM + b"data: " + data + b"\n\n",
}  # fmt: skip
DONES = {
    "as it should be": b"data: [DONE]\n\n",
    "blank behind": b"data: [DONE] \n\n",
    "blanks around": b"data:   [DONE]   \n\n",
    "no blank": b"data:[DONE]\n\n",
    "in quotes": b'data: "[DONE]"\n\n',
    "small": b"data: [done]\n\n",
    "one line end": b"data: [DONE]\n",
    "no line end": b"data: [DONE]",
    "as an event": b"event: done\ndata: [DONE]\n\n",
    "none": b"",
    "comment": b": done\n\n",
}


def events(streams, frame, end=b"\n"):
    datas = streams.stream("FIRST ", "second").replace(b"data: ", b"").split(b"\n\n")[:-2]
    return b"".join(frame(data) for data in datas).replace(b"\n", end), datas


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", FRAMES)
def test_every_framing(read, streams, provider, name, end):
    """Line ends, fields, comments and blanks around the data make no difference."""
    body, _ = events(streams, FRAMES[name], ENDS[end])

    found = read(body, streams.DONE, provider=provider)

    assert (found.text, found.answer.usage.input_tokens) == ("FIRST second", 3)


@pytest.mark.parametrize("done", DONES)
@pytest.mark.parametrize("frame", ["as it should be", "one line end"])
def test_every_end_mark(read, streams, provider, done, frame):
    """A finish reason is the end of an answer; the mark behind it may be odd, or missing."""
    body, _ = events(streams, FRAMES[frame])

    found = read(body + DONES[done], provider=provider)

    assert (found.text, found.answer.finish.reason) == ("FIRST second", "stop")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("start", [b"", BOM, b"\n\n", b"\r\n" + BOM, BOM + b"\n", b": hello\n\n"])
def test_every_cut(read, streams, start, end):
    """A short stream cut in two at each byte, and byte by byte."""
    stream = (start + streams.stream("a☕ ", "b")).replace(b"\n", ENDS[end])

    for cut in range(len(stream) + 1):
        assert read(stream[:cut], stream[cut:]).text == "a☕ b"
    assert read(*(bytes([byte]) for byte in stream)).text == "a☕ b"


@given(
    cuts=st.lists(st.integers(0, 1200), max_size=20),
    end=st.sampled_from(list(ENDS.values())),
    frames=st.lists(st.sampled_from(list(FRAMES.values())), min_size=3, max_size=3),
)
def test_any_mixture(read, streams, cuts, end, frames):
    """Each event in a frame of its own, cut anywhere."""
    _, datas = events(streams, FRAMES["as it should be"])
    body = b"".join(frame(data) for frame, data in zip(frames, datas, strict=True))
    stream = (body + b"\n" + streams.DONE).replace(b"\n", end)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})

    found = read(*(stream[start:stop] for start, stop in pairwise(borders)))

    assert found.text == "FIRST second"


def test_text_flows_with_single_line_ends(streams):
    """An event need not wait for the end of the stream where the empty lines are missing."""
    from exai_trio.providers.answers.sse import EventReader

    reader = EventReader()
    body, datas = events(streams, FRAMES["one line end"])

    assert datas[:-1] == reader.feed(body)


def test_data_over_several_lines(read, streams):
    """Pretty-printed JSON, each line a line of data."""
    pretty = b'data: {\ndata:  "choices": [{\ndata:   "delta": {"content": "yes"},\ndata:   "finish_reason": "stop"}]\ndata: }\n\n'

    assert read(pretty + streams.DONE).text == "yes"


def test_chunks_in_one_event(read, streams):
    """Two objects in one event, and a list of them."""
    first, second = streams.chunk({"content": "a"})[6:-2], streams.chunk({"content": "b"})[6:-2]
    both = b"data: " + first + second + b"\n\ndata: [" + first + b"," + second + b"]\n\n"

    assert read(both, streams.chunk({}, "stop")).text == "abab"


def test_lines_of_json_without_events(read, streams):
    """A body of one chunk a line, as some proxies write it."""
    stream = streams.stream("FIRST ", "second").replace(b"data: ", b"")

    assert read(stream.removesuffix(b"[DONE]\n\n")).text == "FIRST second"


def test_a_bom_before_a_whole_answer(read):
    """Also where the answer is no stream."""
    whole = b'{"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}'

    assert read(BOM + whole).text == "yes"
    assert read(*(bytes([byte]) for byte in BOM + whole)).text == "yes"


@pytest.mark.parametrize("rest", [b'data: {"choi', b"data: nonsense\n\n", b"", b"data: [DONE]\n\n"])
def test_what_was_cut_before_its_end_is_no_answer(read, streams, provider, rest):
    """Without a finish reason nothing tells that the text is whole."""
    with pytest.raises(BadAnswerError):
        read(streams.chunk({"content": "half"}) + rest, provider=provider)
