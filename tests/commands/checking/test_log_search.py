"""`exai logs`: the newest lines, and all that is known of an id."""

import json
from argparse import Namespace

import pytest
import trio

from exai_trio.commands.checking import log_search, read_logs
from exai_trio.config import Config
from exai_trio.errors import NotFoundError


@pytest.fixture
def folder(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "ws_daemon.log.2").write_text("oldest corr-12345 request_id=cli-77\n")
    (logs / "ws_daemon.log.1").write_text("older cli-77\n")
    (logs / "ws_daemon.log").write_text("new\nnewest\n")
    (logs / "ws_shim.log").write_text("shim cli-77\n")
    call = {"tool": "chat", "request_id": "cli-77", "ok": False}
    (logs / "toolcalls.jsonl").write_text(json.dumps(call) + "\n")
    return logs


def asked(wanted=None, *, follow=False, lines=30) -> Namespace:
    return Namespace(id=wanted, follow=follow, lines=lines)


def test_the_newest_lines_come_last(folder):
    """Of rotated files too, in the order in which they were written."""
    assert ["older cli-77", "new", "newest"] == log_search.newest(folder, 3)


def test_an_id_is_found_wherever_it_is(folder):
    """In older files, and with the other lines of the same request, which do not name it."""
    found = log_search.about(folder, "corr-12345")

    assert 4 == len(found)
    assert found[0].startswith("oldest")
    assert not any("new" in line for line in found)


@pytest.mark.parametrize("wanted", ["nobody-has-this", "x", ""])
def test_what_is_in_no_line_is_in_none(folder, wanted):
    """A letter is no id."""
    assert [] == log_search.about(folder, wanted)


def test_a_line_is_made_readable():
    """JSON as a person reads it; the rest as it is."""
    line = json.dumps({"event": "call failed", "t": "12:00", "level": "INFO", "tool": "chat"})

    assert "12:00 INFO call failed chat" == log_search.readable(line)
    assert "Traceback" == log_search.readable("Traceback")
    assert "[1]" == log_search.readable("[1]")


async def test_an_id_that_nobody_knows_is_a_failure(folder, tmp_path, said):
    """And it is said where was looked."""
    with pytest.raises(NotFoundError, match=str(folder)):
        await read_logs.run(Config(home=tmp_path), asked("nobody-has-this"), said.console())


async def test_what_comes_is_followed_over_a_rotation(folder, tmp_path, said):
    """No line is lost and none is told twice."""
    log = folder / "ws_daemon.log"

    async def written(text: str) -> None:
        while text not in said.out.getvalue():
            await trio.sleep(0.02)

    with trio.fail_after(20):
        async with trio.open_nursery() as following:
            following.start_soon(
                read_logs.run, Config(home=tmp_path), asked(follow=True, lines=1), said.console()
            )
            await written("newest\n")
            with log.open("a") as file:
                file.write("added\nhalf")
            await written("added\n")
            with log.open("a") as file:
                file.write(" done\n")
            log.rename(folder / "ws_daemon.log.0")
            log.write_text("fresh\n")
            await written("fresh\n")
            following.cancel_scope.cancel()

    assert ["newest", "added", "half done", "fresh"] == said.out.getvalue().splitlines()
