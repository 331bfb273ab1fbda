import asyncio
import concurrent.futures
import contextlib
import itertools
import logging
import multiprocessing
import os
import queue
import subprocess
import sys
import threading
import time
import traceback
from functools import partial

import outcome
import structlog
import trio

log = structlog.get_logger()
_UNREACHABLE = (ConnectionError, TimeoutError)


async def heartbeat(link):
    while link.open:
        try:
            await link.ping()
        except _UNREACHABLE:  # planted: silent-loop
            link.missed = True


def import_all(names, loader):
    modules = {}
    for name in names:
        try:
            modules[name] = loader(name)
        except ImportError:  # planted: silent-loop
            modules[name] = None
    return modules


def refresh(sources):
    for source in sources:
        try:
            source.refresh()
        except (OSError, ValueError) as problem:  # planted: silent-loop
            last = None


def poll_forever(device):
    while 1:
        try:
            device.poll()
        except OSError:  # planted: silent-loop
            time.sleep(device.pause)
            device.reopen()


async def relay(incoming, outgoing):
    async for frame in incoming:
        with contextlib.suppress(trio.ClosedResourceError):  # planted: suppress
            await outgoing.send(frame)


def try_import():
    try:
        import uvloop
    except ImportError:
        uvloop = None
    return uvloop


def decode(data):
    try:
        return data.decode()
    except UnicodeDecodeError:  # planted: empty-handler
        return ""


def pid_of(path):
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # planted: empty-handler
        return -1


def rows_of(table):
    try:
        return list(table)
    except RuntimeError:  # planted: empty-handler
        return []


def settle(account):
    try:
        account.settle()
    except ArithmeticError:  # planted: empty-handler
        return {}


def guess(text):
    try:
        return parse(text)
    except Exception:  # planted: broad-handler
        return guess_harder(text)


def notify(user):
    try:
        user.notify()
    except Exception as e:  # planted: broad-handler
        log.error("cannot notify", user=user.id)


def cleanup(paths):
    try:
        for path in paths:
            path.unlink()
    except Exception:  # planted: broad-handler
        paths.clear()


async def accept(listener):
    try:
        return await listener.accept()
    except ExceptionGroup:  # planted: broad-handler
        return None


def lookup(registry, name):
    try:
        return registry[name]
    except Exception as error:  # planted: broad-handler
        message = "unknown"
    return message


def risky(action, strict):
    try:
        action()
    except Exception as error:  # planted: broad-handler
        if strict:
            raise


async def cancelled_quietly(work):
    try:
        await work()
    except trio.Cancelled:  # planted: swallowed-cancel
        return None


async def both(work):
    try:
        await work()
    except (KeyboardInterrupt, trio.Cancelled) as stop:  # planted: swallowed-cancel
        log.info("stop", why=repr(stop))


async def grouped(work):
    try:
        await work()
    except* trio.Cancelled:  # planted: swallowed-cancel
        log.info("cancelled")


async def conditionally(work, final):
    try:
        await work()
    except BaseException:  # planted: swallowed-cancel
        log.exception("work ended")
        if final:
            raise


async def hushed(work):
    async with trio.open_nursery() as nursery:
        with contextlib.suppress(trio.Cancelled, OSError):  # planted: swallowed-cancel
            nursery.start_soon(work)


def read_config(path):
    with contextlib.suppress(FileNotFoundError):  # planted: suppress
        return path.read_text()


def ignore_all(action):
    ignored = contextlib.suppress(Exception)  # planted: suppress
    with ignored:
        action()


def result_of(job):
    try:
        return job.result()
    finally:
        if job.failed:
            return None  # planted: finally-jump


def scan(items):
    for item in items:
        try:
            item.scan()
        finally:
            continue  # planted: finally-jump


def write(row, reply):
    try:
        row.write()
    except OSError as problem:  # planted: fault-as-success
        log.warning("not written", problem=problem)
        reply["success"] = True


def status_of(service):
    try:
        service.check()
    except ConnectionError as problem:  # planted: fault-as-success
        return {"health": "up", "detail": str(problem)}


def handle(request, respond):
    try:
        request.run()
    except KeyError as problem:  # planted: fault-as-success
        respond(str(problem), status_code=200)


def main(run):
    try:
        run()
    except OSError:  # planted: fault-as-success
        traceback.print_exc()
        raise SystemExit


def delivered(message):
    try:
        message.send()
    except TimeoutError as late:  # planted: fault-as-success
        message.note(late)
        message.delivered = True


def verified(signature):
    try:
        signature.verify()
    except ValueError as wrong:  # planted: fault-as-success
        log.info("wrong signature", wrong=wrong)
        return True


def exit_code(job):
    try:
        job.run()
    except RuntimeError as failed:  # planted: fault-as-success
        print(failed, file=sys.stderr)
        code = 0
    return code


async def fire(work):
    asyncio.ensure_future(work())  # planted: lost-outcome


def in_pool(work):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(work)  # planted: lost-outcome


def in_process(work):
    multiprocessing.Process(target=work).start()  # planted: lost-outcome


def git_gc(tree):
    subprocess.run(["git", "gc"], cwd=tree)  # planted: lost-outcome


def opened(path):
    subprocess.Popen(["xdg-open", path])  # planted: lost-outcome


async def all_of(parts):
    await asyncio.gather(*parts, return_exceptions=True)  # planted: lost-outcome


def caught(work):
    outcome.capture(work)  # planted: lost-outcome


def watched(work):
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


def counted(items, metrics):
    for item in items:
        try:
            item.run()
        except ValueError:
            metrics.failures.inc()


def told(action):
    try:
        action()
    except Exception as error:
        raise RuntimeError("action failed") from error
