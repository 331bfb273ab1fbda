"""What a library says again and again is logged now and then."""

import logging

from exai_trio.observability.throttled_logs import Sparse, sparse


def record():
    return logging.LogRecord("x", logging.ERROR, "", 0, "EMFILE", (), (OSError, OSError(), None))


def test_one_record_each_five_seconds_without_its_traceback():
    """Ten a second, for twelve seconds: three are left."""
    now = 0.0
    heard = []
    little = Sparse(lambda: now)
    for tenth in range(120):
        now = tenth / 10
        if little(said := record()):
            heard.append((now, said.exc_info))

    assert [(0.0, None), (5.0, None), (10.0, None)] == heard


async def test_the_logger_is_as_before_after_the_block(caplog):
    """Within it the second record is left out."""
    log = logging.getLogger("some.library")
    with sparse("some.library"):
        log.error("said")
        log.error("left out")
    log.error("said again")

    assert ["said", "said again"] == [each.message for each in caplog.records]
