"""What is logged as an error is caught: once each, counted exactly, with nothing in it that is a user's."""

import json
import logging

import attrs
import pytest

from exai_trio.errors import ArgumentError, InternalError
from exai_trio.incidents.late_capture import late_capture
from exai_trio.incidents.spool import Spool
from exai_trio.observability.logs import correlation_id, open_logs

log = logging.getLogger("exai.calls")
PROMPT = "Zebrafink mit Quittenmus"


def crash(fault, **keys):
    try:
        raise fault
    except Exception:
        log.exception("call crashed", extra=keys)


@pytest.mark.parametrize("times", [1_100, pytest.param(10_000, marks=pytest.mark.real)])
def test_a_storm_of_equal_faults_is_one_row_with_the_exact_count_and_a_bounded_log(
    capture, config, times
):
    with open_logs(config, "ws_daemon"):
        for _ in range(times):
            log.error("call not journalled", extra={"fault": "x" * 1000})
    (row,) = capture.take()

    assert times == row.count
    assert 1_000 == len((config.logs / "ws_daemon.log").read_text().splitlines())


def test_equal_traces_are_told_whole_only_some_times(capture, config):
    with open_logs(config, "ws_daemon"):
        for _ in range(20):
            crash(KeyError("a"))
    lines = (config.logs / "ws_daemon.log").read_text().splitlines()

    assert (20, 5) == (len(lines), sum("Traceback" in line for line in lines))


def test_leaves_of_a_group_count_singly_also_beside_a_known_fault(capture):
    crash(
        ExceptionGroup("", [ArgumentError("no"), ExceptionGroup("", [KeyError("a")]), ValueError()])
    )

    assert {"KeyError", "ValueError"} == {row.error_type for row in capture.take()}


@pytest.mark.parametrize(
    "fault", [ArgumentError("no such field"), ExceptionGroup("", [ArgumentError("no")])], ids=str
)
def test_what_a_client_did_wrong_is_no_incident(capture, fault):
    crash(fault)

    assert () == capture.take()


@attrs.define
class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError(PROMPT)


@pytest.mark.parametrize(
    "fault",
    [
        ValueError(PROMPT),
        KeyError(PROMPT),
        InternalError(f"it said: {PROMPT}"),
        OSError(2, "No such file or directory", f"/home/{PROMPT}"),
        SyntaxError("bad", ("a.py", 1, 1, PROMPT)),
        ExceptionGroup(PROMPT, [RuntimeError(f"key canary-word-zwolle-pfad {PROMPT}")]),
        UnicodeDecodeError("utf-8", PROMPT.encode(), 0, 1, PROMPT),
        Unspeakable(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_no_prompt_file_or_key_stands_in_an_incident(capture, fault, caplog):
    """Neither in its message, its notes, its causes, the keys of the log nor in what was logged before."""
    caplog.set_level("INFO", "exai")
    fault.add_note(PROMPT)
    correlation_id.set("c1")
    log.info("asked", extra={"prompt": PROMPT, "tool": "chat", "count": 3})
    try:
        try:
            raise ValueError(PROMPT)
        except ValueError:
            local = PROMPT
            crash(fault, argument=local, authorization="canary-word-zwolle-pfad")
    finally:
        correlation_id.set("")
    told = json.dumps([attrs.asdict(row) for row in capture.take()])

    assert not [word for word in ("Zebrafink", "Quittenmus", "canary") if word in told]
    assert "asked count=3 tool=chat" in told


def test_a_message_keeps_what_the_code_says(capture):
    """The words of the statement that raises stay; what data put into them does not."""
    with pytest.raises(LookupError) as caught:
        raise LookupError(f"no room for {PROMPT} at 3")
    log.error("call crashed", exc_info=caught.value)
    with pytest.raises(TypeError) as caught:
        len(None)
    log.error("call crashed", exc_info=caught.value)

    assert ["no room for … at 3", "object of type 'NoneType' has no len()"] == [
        row.message for row in capture.take()
    ]


def test_what_nobody_keeps_is_spooled_and_taken_up_once(config):
    """A process that starts fast loads nothing for it before it fails; cut lines are left out."""
    with late_capture(config, "shim"):
        crash(KeyError("a"))
        crash(KeyError("a"))
    spool = Spool.of(config)
    with spool.path.open("a") as file:
        file.write('{"error_hash": "1-')
    rows = spool.take()

    assert [("KeyError", "shim", 1)] * 2 == [
        (row.error_type, row.context["process"], row.count) for row in rows
    ]
    assert rows == spool.take()
    spool.done()
    assert () == spool.take()
