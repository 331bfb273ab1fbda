import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from concurrent import futures
from contextlib import AsyncExitStack, ExitStack, closing, suppress

import anyio
import attrs
import structlog
import trio

logger = structlog.get_logger(__name__)
stdlog = logging.getLogger("x")


class Cache:
    def warm(self, keys):
        for key in keys:
            try:
                self.put(key, self.fetch(key))
            except Exception:  # planted: silent-loop
                continue

    def get(self, key):
        try:
            return self._rows[key]
        except Exception:  # planted: broad-handler
            return self.default

    def size(self):
        try:
            return len(self._rows)
        except TypeError:  # planted: empty-handler
            return 0

    def close(self):
        try:
            self._file.close()
        except (OSError, ValueError):  # planted: empty-handler
            ...

    def __exit__(self, *_):
        try:
            self.flush()
        finally:
            return True  # planted: finally-jump


async def pump(source, sink):
    async for item in source:
        try:
            await sink.send(item)
        except trio.BrokenResourceError:  # planted: silent-loop
            pass


async def serve_one(stream, handler):
    try:
        await handler(stream)
    except* Exception:  # planted: broad-handler
        await stream.aclose()


async def until_done(job):
    while not job.done:
        try:
            await job.step()
        except (trio.Cancelled, OSError):  # planted: swallowed-cancel
            await trio.sleep(job.pause)


async def stop(nursery):
    try:
        await nursery.wait()
    except BaseException as exc:  # planted: swallowed-cancel
        if isinstance(exc, KeyboardInterrupt):
            raise
        logger.warning("stopped", exc_info=exc)


async def quietly(call):
    with suppress(BaseException):  # planted: swallowed-cancel
        await call()


def release(lock):
    with suppress(Exception):  # planted: suppress
        lock.release()


def rates(path):
    with suppress(OSError, KeyError):  # planted: suppress
        return path.read_text()


def teardown(stack: ExitStack):
    stack.enter_context(suppress(RuntimeError))  # planted: suppress


def drain(queue):
    while True:
        try:
            item = queue.get_nowait()
            item.run()
        except LookupError:  # planted: silent-loop
            queue.skip()
        finally:
            queue.done()


def first(items):
    for item in items:
        try:
            return item.value()
        finally:
            break  # planted: finally-jump


def publish(bus, event):
    try:
        bus.publish(event)
    except ConnectionError as error:  # planted: fault-as-success
        logger.info("not published", error=str(error))
        return {"ok": True}


def healthy(store):
    try:
        store.ping()
        return "healthy"
    except OSError as error:  # planted: fault-as-success
        logger.debug("no ping", error=error)
        return "healthy"


def finish(task, store):
    try:
        store.save(task)
    except ValueError as problem:  # planted: fault-as-success
        task.error = problem
        task.state = "done"


def run_main(app):
    try:
        app()
    except RuntimeError as problem:  # planted: fault-as-success
        print(problem, file=sys.stderr)
        sys.exit(0)


@attrs.frozen
class Outcome:
    ok: bool
    text: str


def ask(client):
    try:
        return Outcome(True, client.ask())
    except LookupError as problem:  # planted: fault-as-success
        return Outcome(ok=True, text=str(problem))


def validate(row):
    try:
        row.check()
    except ValueError as problem:  # planted: fault-as-success
        return True, str(problem)
    return True, ""


def tasks(pool, jobs):
    for job in jobs:
        pool.submit(job.run)  # planted: lost-outcome


async def spawn(loop, work):
    loop.create_task(work())  # planted: lost-outcome


def later(work):
    t = threading.Timer(5 * 1.0, work)
    t.start()


async def convert(path):
    await trio.run_process(["convert", path], check=False)  # planted: lost-outcome


def compress(path):
    os.system(f"gzip {path}")  # planted: lost-outcome


def unlock(fd):
    try:
        os.close(fd)
    except:  # planted: swallowed-cancel
        stdlog.error("no close")


def load(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    return value


def number_of(text):
    try:
        return float(text)
    except Exception as error:  # planted: broad-handler
        warnings.warn("no number")
        return float("nan")


def each(handlers, event):
    for handler in handlers:
        try:
            handler(event)
        except Exception as error:  # planted: broad-handler
            logger.debug("handler failed")
