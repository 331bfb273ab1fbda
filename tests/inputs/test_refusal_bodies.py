"""A service's reason for a refusal, wherever in whatever body it stands: the user hears its own words."""

import json

import pytest
from hypothesis import given, strategies as st

from exai_trio.errors import BadAnswerError, ProviderBusyError, ProviderError, ProviderRefusedError
from exai_trio.providers.refusals.provider_errors import complaint_in, fault, verdict_by_status

WORDS = "Model glm-9 is not served here"
SHAPES = {
    "error.message": {"error": {"message": WORDS}},
    "error": {"error": WORDS},
    "message": {"message": WORDS},
    "msg": {"code": 500, "msg": WORDS, "success": False},
    "detail": {"detail": WORDS},
    "details": {"details": WORDS},
    "detail.message": {"detail": {"message": WORDS}},
    "detail.error": {"detail": {"error": {"message": WORDS}}},
    "detail[].msg": {"detail": [{"loc": ["body", "model"], "msg": WORDS, "type": "value_error"}]},
    "errors[].message": {"errors": [{"message": WORDS}]},
    "errors[]": {"errors": [WORDS]},
    "errors.field[]": {"errors": {"model": [WORDS]}},
    "errors": {"errors": WORDS},
    "[].error": [{"error": {"code": 400, "message": WORDS, "status": "INVALID_ARGUMENT"}}],
    "[]": [WORDS],
    "error[]": {"error": [{"message": WORDS}]},
    "error.error": {"error": {"error": {"message": WORDS}}},
    "error.message.error": {"error": {"message": {"error": {"message": WORDS}}}},
    "error.message as JSON": {"error": {"message": json.dumps({"error": {"message": WORDS}})}},
    "error as JSON": {"error": json.dumps({"message": WORDS})},
    "error.details": {"error": {"code": 3, "details": [{"reason": WORDS}]}},
    "error_description": {"error": "invalid_request", "error_description": WORDS},
    "error and message": {"status": 404, "error": "Not Found", "message": WORDS, "path": "/v4"},
    "title and detail": {"type": "about:blank", "title": "Not Found", "detail": WORDS},
    "object error": {"object": "error", "message": WORDS, "type": "NotFoundError", "code": 404},
    "fault": {"fault": {"faultstring": WORDS, "detail": {"errorcode": "x"}}},
    "base_resp": {"base_resp": {"status_code": 1004, "status_msg": WORDS}},
    "error_msg": {"error_code": 17, "error_msg": WORDS},
    "errorMessage": {"errorMessage": WORDS},
    "Message": {"Message": WORDS},
    "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": WORDS}},
    "unknown": {"hint": WORDS},
    "text": WORDS,
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_the_words_are_told(shape, status):
    """In every shape, without Python's or JSON's marks around them."""
    complaint = complaint_in(status, json.dumps(SHAPES[shape]).encode())

    assert WORDS in complaint.message
    assert shape == "unknown" or not set(complaint.message) & set("{}[]'")


@pytest.mark.parametrize("body", [
    WORDS.encode(), b"  " + WORDS.encode() + b"\n", b"\xef\xbb\xbf" + WORDS.encode(),
    b"<html><body><h1>" + WORDS.encode() + b"</h1></body></html>",
    b"<html><head><title>" + WORDS.encode() + b"</title><style>a{}</style></head></html>",
    b"<Error><Code>NoSuchModel</Code><Message>" + WORDS.encode() + b"</Message></Error>",
    b"<center>" + WORDS.encode() + b"</center>",
    b'\xef\xbb\xbf{"error": {"message": "' + WORDS.encode() + b'"}}',
    b'{"error": {"message": "' + WORDS.encode() + b'"}, "note": "\xff\xfe"}',
    b'{"error": {"message": "' + WORDS.encode() + b'"}}{"error": {"message": "again"}}',
])  # fmt: skip
def test_the_words_of_other_bodies(body):
    """Text, markup, marks of byte order, bytes that are no UTF-8."""
    assert WORDS in complaint_in(400, body).message


def test_a_body_in_another_encoding():
    """What can be read is told, with U+FFFD for what cannot, and the code decides."""
    gbk = complaint_in(400, '{"error":{"message":"余额不足"}}'.encode("gbk"))
    latin = complaint_in(
        429, '{"error":{"code":"1113","message":"Solde épuisé"}}'.encode("latin-1")
    )

    assert "\ufffd" in gbk.message
    assert ("1113", "Solde \ufffdpuis\ufffd") == (latin.code, latin.message)


@pytest.mark.parametrize("depth", [10, 1_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"error":', '{"message":[', '{"detail":{"error":'])
def test_deep_bodies(depth, opening):
    """Nested as deeply as anybody likes, closed or not."""
    closing = "".join({"[": "]", "{": "}"}[c] for c in reversed(opening) if c in "[{")
    for body in (opening * depth, opening * depth + '"x"' + closing * depth):
        complaint = complaint_in(500, body.encode())
        assert isinstance(fault("X", complaint, verdict_by_status(complaint)), ProviderError)


def test_many_words_are_cut():
    """A megabyte of complaint is half a kilobyte to the user; and nothing of it steers his terminal."""
    long = complaint_in(400, json.dumps({"error": {"message": "no " * 1_000_000}}).encode())
    loud = complaint_in(
        400, json.dumps({"error": {"message": "no\x1b[31m\x07 room\u202e"}}).encode()
    )

    assert len(long.message) <= 501
    assert loud.message.isprintable()


@pytest.mark.parametrize("body", [
    b'data: {"error":{"message":"Rate limit reached","code":"1302"}}\n\n',
    b'{"error":{"message":"Rate limit reached","code":"1302"}}\n\n',
    b'\n{"error":{"message":"Rate limit reached","code":"1302"}}',
    b'event: error\ndata: {"code":"1302","message":"Rate limit reached"}\n\n',
    b'event: error\ndata: {"code":1302,"msg":"Rate limit reached"}\n\n',
    b'data: {"choices":[],"error":{"message":"Rate limit reached","code":1302}}\n\n',
    b'data: [{"error":{"message":"Rate limit reached","code":"1302"}}]\n\n',
    b'data: {"errors":[{"message":"Rate limit reached","code":"1302"}]}\n\n',
    b'data: {"error":"{\\"code\\":\\"1302\\",\\"message\\":\\"Rate limit reached\\"}"}\n\n',
])  # fmt: skip
def test_an_error_inside_a_stream(read, streams, body):
    """With or without `data:`, in any shape: it is the fault that the service names."""
    with pytest.raises(ProviderBusyError, match="Rate limit reached") as caught:
        read(streams.chunk({"content": "one "}), body)

    assert caught.value.details["reason"] == "concurrency"


@pytest.mark.parametrize("words", [
    b"data: upstream connect error\n\n", b"upstream connect error\n", b'data: "upstream connect error"\n\n',
    b'data: {"message": "upstream connect error"}\n\n', b'data: {"detail": "upstream connect error"}\n\n',
    b"<html><body>upstream connect error</body></html>",
])  # fmt: skip
def test_last_words_of_a_cut_stream(read, streams, provider, words):
    """What stands in no event tells why the stream ended."""
    with pytest.raises(BadAnswerError, match="upstream connect error"):
        read(streams.chunk({"content": "one "}), words, provider=provider)


@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "not here"}',
        b'{"message": "not here"}',
        b'["not here"]',
        b'{"errors": ["not here"]}',
    ],
)
def test_a_complaint_with_status_200(read, provider, body):
    """An error that calls itself a success is told in its words."""
    with pytest.raises(BadAnswerError, match="not here"):
        read(body, provider=provider)


@pytest.mark.parametrize(
    ("code", "error"),
    [(429, ProviderBusyError), (502, ProviderBusyError), (400, ProviderRefusedError)],
)
def test_a_status_inside_a_200(read, streams, code, error):
    """Gateways write the status of the service behind them into the stream."""
    with pytest.raises(error, match="no room"):
        read(streams.event({"error": {"code": code, "message": "no room"}}), provider="further")


@pytest.mark.parametrize("nothing", [None, False, "", {}, []])
def test_an_error_that_is_none(read, streams, provider, nothing):
    """`error: null` in each chunk is no error."""
    assert (
        read(
            streams.chunk({"content": "yes"}, "stop", error=nothing),
            streams.DONE,
            provider=provider,
        ).text
        == "yes"
    )


@pytest.mark.parametrize(
    "reason", ["content_filter", "sensitive", "SAFETY", "refusal", "model_context_window_exceeded"]
)
def test_an_answer_that_was_stopped(read, streams, provider, reason):
    """Text that came is kept, with a notice; without text it is a refusal."""
    from exai_trio.providers.answers.finish_reasons import notice_of  # noqa: PLC0415

    found = read(
        streams.chunk({"content": "half an"}),
        streams.chunk({}, reason),
        streams.DONE,
        provider=provider,
    )

    assert ("half an", reason) == (found.text, found.answer.finish.reason)
    assert "cut" in notice_of(reason)
    with pytest.raises(ProviderError, match=reason):
        read(streams.chunk({}, reason), streams.DONE, provider=provider)


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS"])
def test_an_answer_that_was_too_long(read, streams, reason):
    """The limit has one name to us, whatever the service calls it."""
    assert (
        read(streams.chunk({"content": "half"}, reason), streams.DONE).answer.finish.reason
        == "length"
    )


@given(st.binary(max_size=200), st.sampled_from([200, 400, 429, 500]))
def test_any_bytes(body, status):
    """Words that can be shown, never another exception."""
    complaint = complaint_in(status, body)

    assert all(part.isprintable() for part in (complaint.message, complaint.code, complaint.type))
