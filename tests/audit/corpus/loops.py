import asyncio
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import outcome
import trio

PAUSE = 1


async def watch(source):
    while True:
        try:
            await source.read()
        except OSError:  # planted: silent-loop
            await trio.sleep(PAUSE)


def retry(action):
    for _ in range(3):
        try:
            return action()
        except ConnectionError:  # planted: silent-loop
            time.sleep(PAUSE)
    return None


def collect(files):
    found = []
    for file in files:
        try:
            found.append(file.read())
        except UnicodeDecodeError:  # planted: silent-loop
            continue
    return found


def totals(rows):
    total = 0
    for row in rows:
        try:
            total += row.amount
        except AttributeError:  # planted: silent-loop
            pass
    return total


async def forever(queue):
    while queue.open:
        try:
            await queue.next()
        except Exception:  # planted: silent-loop
            await trio.lowlevel.checkpoint()


async def start(work):
    asyncio.create_task(work())  # planted: lost-outcome


def background(pool: ThreadPoolExecutor, work):
    pool.submit(work)  # planted: lost-outcome


def thread(work):
    threading.Thread(target=work, daemon=True).start()  # planted: lost-outcome


async def captured(work):
    await outcome.acapture(work)  # planted: lost-outcome


def system(work):
    trio.lowlevel.spawn_system_task(work)  # planted: lost-outcome


async def together(first, second):
    await asyncio.gather(first(), second(), return_exceptions=True)  # planted: lost-outcome


def run(command):
    subprocess.run(command, check=False)  # planted: lost-outcome


def launch(command):
    subprocess.Popen(command)  # planted: lost-outcome


async def launched(command):
    await trio.run_process(command, check=False)  # planted: lost-outcome
