"""What the simulated disk knows of torn files after a power cut: no more and no less than what stands there."""

import random

import pytest
from universe.disk import Disk

from exai_trio.storage.append_log.framing import end_of, head_of, records_in


def _records(number, *bodies):
    content = b""
    for body in bodies:
        content += head_of(number, len(content), body) + body
    return content


@pytest.mark.parametrize("seed", range(12))
def test_what_a_power_cut_takes_away_tears_nothing(seed):
    """Of a torn end that was not flushed a piece may be left, or nothing, or not even the file."""
    disk = Disk(random.Random(seed), pytest.fail)  # noqa: S311 - lots that repeat themselves
    disk.files[1] = bytearray(_records(1, b"one", b"two") + b"noise")
    disk.torn.add(1)

    disk.lose_power()

    data = bytes(disk.files.get(1, b""))
    last = list(records_in(1, data))
    is_torn = len(data) > (end_of(*last[-1]) if last else 0)
    assert is_torn == (1 in disk.torn)
