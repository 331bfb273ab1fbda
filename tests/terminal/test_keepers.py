"""What is said of a keeper that could not be started."""

import errno

import pytest

from exai_trio.terminal.keepers import _not_started


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"fault": errno.ENOSPC, "what": "pty"}, "there is no pseudo-terminal left"),
        ({"fault": errno.ENOSPC, "what": "socket"}, "socket cannot be started: No space left on device"),
        ({"fault": errno.ENOENT, "what": "/bin/no"}, "/bin/no cannot be started: No such file or directory"),
        ({}, "the keeper cannot be started: it ended at once"),
    ],
)  # fmt: skip
def test_no_terminals_left_a_full_disk_and_a_program_that_is_not_there_are_told_apart(said, words):
    fault = _not_started(said)

    assert fault.code == "NOT_STARTED"
    assert fault.message.startswith(words)
