"""Memory that is free goes back to the system."""

import ctypes
import os

import pytest

from exai_trio.system import malloc


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # one read
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library")
def test_what_is_free_below_something_that_stays_is_given_back():
    """The C library gives back by itself only what lies at the end of its heap."""
    blocks = [b"x" * size for size in range(50_000, 100_000, 50)]
    stays = blocks.pop()
    blocks.clear()
    before = resident_bytes()
    malloc.trim()

    assert resident_bytes() < before - 20 * 2**20
    assert stays


def test_another_c_library_is_left_alone(monkeypatch):
    """It has no such function, or cannot be asked."""
    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda _: object())

    malloc.trim()
