"""The access log: refusals are summed by address and minute, and lines are kept for ninety days."""

import attrs

from exai_trio.access.access_log import KEPT_S, AccessLog, newest_lines

DAY_S = 86_400.0


@attrs.define
class Clock:
    now: float = 1_790_000_000.0
    is_trusted: bool = True

    def log(self, path):
        return AccessLog.of(path, lambda: self.now, lambda: self.is_trusted)


def written(log, **how):
    log.write(log.gather(**how))
    return list(newest_lines(log.lines.path.parent))


def test_refusals_are_summed_by_address_and_minute_and_never_many_lines(tmp_path):
    """However many addresses they come from; those of the minute that lasts wait for its end."""
    clock = Clock()
    log = clock.log(tmp_path)
    for number in range(100_000):
        log.refuse(f"192.0.{number % 300}.1")
    early = written(log)
    clock.now += 60
    written(log)
    log.refuse("::1")
    lines = written(log, everything=True)

    assert [] == early
    assert 257 + 1 == len(lines)
    assert 100_001 == sum(line["count"] for line in lines)
    assert {"::1", "others"} < {line["address"] for line in lines}


def test_lines_are_kept_for_ninety_days(tmp_path):
    """By a clock that is trusted, and those that were moved aside likewise."""
    clock = Clock()
    log = clock.log(tmp_path)
    log.note("hello", who="ann", role="")
    written(log)
    log.lines.path.rename(tmp_path / "access.jsonl.1")
    log.note("hello", who="bob")
    clock.now += KEPT_S - DAY_S
    log.note("hello", who="eve")
    kept = written(log)
    clock.now += 3 * DAY_S
    clock.is_trusted = False
    by_no_clock = written(log)
    clock.is_trusted = True
    later = written(log)

    assert 90 * DAY_S == KEPT_S
    assert (
        ["ann", "bob", "eve"]
        == [line["who"] for line in kept]
        == [line["who"] for line in by_no_clock]
    )
    assert ["eve"] == [line["who"] for line in later]
    assert b"" == (tmp_path / "access.jsonl.1").read_bytes()
    assert {"t", "event", "who"} == later[0].keys()
