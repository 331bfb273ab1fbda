"""The user's own terminal."""

import os

import pytest
import trio

from exai_trio.commands.term.raw_terminal import RawTerminal


@pytest.fixture
def ends():
    """The terminal, and the one that shows it."""
    master, slave = os.openpty()
    os.set_blocking(slave, False)
    yield RawTerminal(slave), master
    os.close(slave)


async def test_a_terminal_that_is_gone_takes_nothing_and_says_so_by_its_keys(ends):
    terminal, master = ends
    assert terminal.show_at_once(b"here") == 4
    os.close(master)
    with trio.fail_after(5):
        assert await terminal.show_some(b"output") == 0
        assert terminal.show_at_once(b"\a") == 0
        assert await terminal.keys() == b""


async def test_a_terminal_that_is_full_takes_a_part(ends):
    terminal, master = ends
    while terminal.show_at_once(b"x" * 4096):
        pass
    assert os.read(master, 1)
    os.close(master)
