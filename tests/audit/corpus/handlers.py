import contextlib
import logging
import sys

import structlog
import trio

log = structlog.get_logger()
logger = logging.getLogger(__name__)
_NETWORK = (OSError, EOFError)


def load(path):
    try:
        return path.read_text()
    except Exception:  # planted: broad-handler
        return None


def load_all(path):
    try:
        return path.read_bytes()
    except:  # planted: swallowed-cancel
        return b""


async def fetch(client):
    try:
        return await client.get()
    except BaseException as fault:  # planted: swallowed-cancel
        log.error("fetch failed", fault=str(fault))


async def poll(client):
    try:
        await client.poll()
    except trio.Cancelled:  # planted: swallowed-cancel
        log.info("cancelled")


async def shutdown(server):
    with contextlib.suppress(trio.Cancelled):  # planted: swallowed-cancel
        await server.aclose()


def parse(text):
    try:
        return int(text)
    except Exception as fault:  # planted: broad-handler
        logger.error("cannot parse")
        return None


def convert(text):
    try:
        return float(text)
    except Exception:  # planted: broad-handler
        text = ""
    return text


def store(rows, table):
    try:
        table.insert(rows)
    except ValueError:  # planted: empty-handler
        pass


def lookup(names, key):
    try:
        return names[key]
    except (KeyError, IndexError):  # planted: empty-handler
        return -1


def first_of(items):
    try:
        return items[0], True
    except IndexError:  # planted: empty-handler
        return None, False


def remove(path):
    with contextlib.suppress(OSError):  # planted: suppress
        path.unlink()


def remove_all(path):
    with contextlib.suppress(Exception):  # planted: suppress
        path.unlink()


def hang_up(stream):
    with contextlib.suppress(*_NETWORK):  # planted: suppress
        stream.close()


def read_flag(path):
    try:
        flag = path.read_text()
    finally:
        return False  # planted: finally-jump


def drain(queue):
    while queue:
        try:
            queue.pop()
        finally:
            break  # planted: finally-jump


def skim(queue):
    for item in queue:
        try:
            item.close()
        finally:
            if item.is_last:
                continue  # planted: finally-jump


async def group(tasks):
    try:
        await tasks.run()
    except* Exception:  # planted: broad-handler
        tasks.forget()


def sometimes(action, debug):
    try:
        action()
    except Exception as fault:  # planted: broad-handler
        if debug:
            raise
        action.state = "idle"


def say(action):
    try:
        action()
    except Exception as fault:  # planted: broad-handler
        print("something went wrong", fault)


def wrapped(action):
    try:
        action()
    except ExceptionGroup:  # planted: broad-handler
        action.reset()


def main(action):
    try:
        action()
    except RuntimeError:  # planted: fault-as-success
        sys.exit(0)
