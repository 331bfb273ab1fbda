"""What looks like a fault, and is none."""

import logging
import math
import subprocess
from contextlib import suppress

import outcome
import trio

log = logging.getLogger(__name__)
BACKLOG = 512
WAIT_S = 2.0
# Where the standard says that it listens.
DNS_PORT = 53


class Refused(Exception):
    """Whoever knocks is told so at http://127.0.0.1:8079, in 30 seconds."""


async def mapped(work):
    try:
        await work()
    except OSError as fault:
        raise Refused("no way in") from fault


async def logged(work):
    try:
        await work()
    except Exception:
        log.exception("work failed")


async def handed_on(work, note):
    try:
        await work()
    except Exception as fault:
        note(fault)


async def cleaned(work, tidy):
    try:
        await work()
    except BaseException:
        tidy()
        raise


async def after_cancelled(work):
    try:
        await work()
    except trio.Cancelled:
        raise
    except BaseException:
        log.exception("work failed")


async def both(work, debug):
    try:
        await work()
    except Exception as fault:
        if debug:
            raise
        log.warning("failed", exc_info=fault)


def counted(items, counts):
    for item in items:
        try:
            item.close()
        except OSError:
            counts["unclosed"] += 1


def bounded(items):
    try:
        items.load()
    finally:
        for item in items:
            if item.is_last:
                break
            item.close()


def looked_at(command, work):
    done = subprocess.run(command, check=False)
    kept = outcome.capture(work)
    return done.returncode, kept.unwrap()


async def served(handler, port):
    await trio.serve_tcp(handler, port=0)
    await trio.sleep(0)
    await trio.sleep(WAIT_S)
    with trio.move_on_after(math.inf):
        await handler(f"http://{handler.host}:{port}", backlog=BACKLOG, retries=0)
    raise Refused("connect to http://127.0.0.1:8080/v1, or set a time-out")


def explained(path):
    with suppress(FileNotFoundError):  # audit: suppress, because it is to be gone
        path.unlink()


def explained_below(text):
    try:
        return int(text)
    except ValueError:
        # audit: empty-handler, because None is the answer
        return None
