"""Logging as it is set up for a process."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError
from exai_trio.observability.logs import open_logs, request_id, session_id

LOG = logging.getLogger("exai.trial")


def lines(home: Path, name: str = "ws_daemon") -> list[dict[str, Any]]:
    text = (home / "logs" / f"{name}.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def config_for(home: Path, **changes: Any) -> Config:
    return Config(home=home, **changes)


def test_a_record_is_one_json_line(tmp_path: Path):
    """Fixed phrase, level, logger, time and keys."""
    with open_logs(config_for(tmp_path), "ws_daemon"):
        LOG.info("draining", extra={"sessions": 3, "note": "two\nlines"})

    (line,) = lines(tmp_path)
    assert line.pop("t").endswith("Z")
    assert {
        "level": "INFO",
        "logger": "exai.trial",
        "event": "draining",
        "sessions": 3,
        "note": "two\nlines",
    } == line


def test_text_is_for_people(tmp_path: Path):
    """LOG_FORMAT=text: one line, keys behind the phrase, nothing that breaks the line."""
    with open_logs(config_for(tmp_path, log_format="text"), "ws_shim"):
        LOG.warning("lost", extra={"why": "a\nb", "n": 1})

    text = (tmp_path / "logs" / "ws_shim.log").read_text()
    assert text.endswith('WARNING exai.trial: lost why="a\\nb" n=1\n')


async def test_ids_come_from_the_task(tmp_path: Path):
    """A record names the session and request of the task that logs it, and of no other."""

    async def task(name: str) -> None:
        session_id.set(f"s-{name}")
        request_id.set(f"r-{name}")
        await trio.lowlevel.checkpoint()
        LOG.info("here", extra={"name_of_task": name})

    with open_logs(config_for(tmp_path), "ws_daemon"):
        async with trio.open_nursery() as tasks:
            tasks.start_soon(task, "a")
            tasks.start_soon(task, "b")
        LOG.info("outside")

    *inside, outside = lines(tmp_path)
    assert all(
        (line["session_id"], line["request_id"])
        == (f"s-{line['name_of_task']}", f"r-{line['name_of_task']}")
        for line in inside
    )
    assert "session_id" not in outside


def test_secrets_and_bodies_stay_out(tmp_path: Path):
    """Keys, tokens and long strings are masked or cut in phrases, keys and tracebacks."""
    config = config_for(tmp_path, ws_token="only-we-know-this")
    with open_logs(config, "ws_daemon"):
        try:
            raise RuntimeError("only-we-know-this and sk-abcdefgh123")
        except RuntimeError:
            LOG.exception("failed with only-we-know-this", extra={"body": "b" * 9000})

    (line,) = lines(tmp_path)
    text = json.dumps(line)
    assert "only-we-know" not in text
    assert "abcdefgh123" not in text
    assert "RuntimeError" in line["exception"]
    assert len(line["body"]) < 2100


def test_chatty_libraries_are_held(tmp_path: Path):
    """LOG_LEVEL=DEBUG is ours: foreign loggers stay at WARNING, also those that lower their own level later."""
    foreign = logging.getLogger("httpx2")
    with open_logs(config_for(tmp_path, log_level="DEBUG"), "ws_daemon"):
        foreign.setLevel(logging.DEBUG)
        foreign.debug("a request body")
        foreign.warning("a fault")
        LOG.debug("ours")

    assert ["a fault", "ours"] == [line["event"] for line in lines(tmp_path)]


def test_everything_is_private(tmp_path: Path):
    """Files have mode 0600, directories 0700."""
    home = tmp_path / "home"
    with open_logs(config_for(home), "ws_daemon"):
        LOG.info("x")

    modes = [
        path.stat().st_mode & 0o777 for path in (home, home / "logs", home / "logs/ws_daemon.log")
    ]
    assert [0o700, 0o700, 0o600] == modes


def test_no_file_is_made_before_there_is_something_to_say(tmp_path: Path):
    """A process that ends at once leaves another's log alone."""
    with open_logs(config_for(tmp_path), "ws_daemon"):
        pass

    assert not (tmp_path / "logs" / "ws_daemon.log").exists()


def test_stderr_gets_the_same_lines_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A container's log holds what the file holds."""
    for asked in (True, False):
        home = tmp_path / str(asked)
        with open_logs(Config(home=home, log_stderr=asked), "ws_daemon"):
            logging.getLogger("exai.test").info("happened", extra={"key": 1})
        kept = (home / "logs" / "ws_daemon.log").read_text()

        assert "happened" in kept
        assert (kept if asked else "") == capsys.readouterr().err


def test_without_a_writable_home_stderr_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A home that cannot be written never stops the program; the records go to stderr."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with open_logs(config_for(blocked), "ws_daemon"):
        LOG.info("still here")

    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert ["no log file", "still here"] == events


def test_logging_is_as_before_afterwards(tmp_path: Path):
    """Leaving the context takes back handlers and levels."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("exai").level)
    with open_logs(config_for(tmp_path), "ws_daemon"):
        pass

    assert before == (list(root.handlers), root.level, logging.getLogger("exai").level)


def test_what_nobody_foresaw_is_logged_on_its_way_out(tmp_path: Path):
    """A fault of ours leaves a traceback in the log; a foreseen one is said elsewhere."""
    with pytest.raises(ZeroDivisionError), open_logs(config_for(tmp_path), "ws_daemon"):
        raise ZeroDivisionError
    with (
        pytest.RaisesGroup(ServiceUnavailableError),
        open_logs(config_for(tmp_path), "ws_daemon"),
    ):
        raise ExceptionGroup("start", [ServiceUnavailableError("port taken")])

    assert ["unexpected fault"] == [line["event"] for line in lines(tmp_path)]
