"""The client's loop: what it tells of a daemon that stays away."""

from contextlib import asynccontextmanager

import trio

from exai_trio.terminal.terminal_link import TerminalLink
from exai_trio.transport.websocket import Unreachable


class Blank:
    """Shows nothing."""

    def away(self, why, rules):
        pass


async def test_five_failures_in_a_row_are_told_once_and_it_goes_on(autojump_clock, caplog):
    """With how often it has tried, why it failed, and that it rests between attempts."""
    caplog.set_level("INFO", "exai.terminals")
    dialled = []

    @asynccontextmanager
    async def dial():
        await trio.lowlevel.checkpoint()
        dialled.append(trio.current_time())
        raise Unreachable("nobody is there")
        yield

    link = TerminalLink(dial=dial, credential=None, session_id="s", view=Blank(), size=(80, 24))
    with trio.move_on_after(200):
        await link.run()
    [told] = [one for one in caplog.records if one.message == "terminal.reconnection.failed"]

    assert (5, "nobody is there", "rests") == (told.attempts, told.last_error, told.breaker)
    assert len(dialled) > 8
