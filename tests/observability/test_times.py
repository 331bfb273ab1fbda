"""Times as they are told: milliseconds have three digits, whatever the float behind them."""

import msgspec

from exai_trio.observability.times import milliseconds


def test_milliseconds_are_told_to_the_microsecond():
    times = [
        0.0,
        1e-9,
        0.0005,
        0.1 + 0.2,
        86_400.0001,
        *(number**2 / 7e6 for number in range(5_000)),
    ]
    told = [msgspec.json.encode(milliseconds(seconds)).decode() for seconds in times]

    assert all(len(text.partition(".")[2]) <= 3 for text in told)
    assert all(
        abs(float(text) - seconds * 1000) <= 0.000_501
        for text, seconds in zip(told, times, strict=True)
    )
