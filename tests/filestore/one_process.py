"""One of several processes that share a registry: `give` contents, or `clean` up until stdin ends. The provider is a folder."""

import json
import sqlite3
import sys
import time
from pathlib import Path

from stepped import KIMI, File, Objects, World, offer

from exai_trio.filestore.file_gateway import FileGateway
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads


class Shared(World):
    """The world with a database of all, and files of all; nobody gives way."""

    async def step(self):
        return


def _world(path, shelf):
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    world = Shared(connection=connection, at=time.time())
    world.over = False
    world.folder = shelf
    return world


class Recipient:
    """A folder, in which a file is a file."""

    def __init__(self, shelf, asked, number):
        self.shelf, self.asked, self.number, self.sent = shelf, asked, number, 0

    async def send(self, _claim):
        self.sent += 1
        name = f"{self.asked.content.sha256}-{self.number}-{self.sent}"
        (self.shelf / name).write_text("")
        time.sleep(0.002)  # noqa: ASYNC251 - nobody else is in this process
        return File(name, self.asked.filename, self.asked.size, int(time.time()), "")

    async def listed(self, *, fresh=False):
        return tuple(File(path.name, "", 0, 0, "") for path in self.shelf.iterdir())

    async def delete(self, file_id):
        (self.shelf / file_id).unlink(missing_ok=True)


def _run(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value


def _give(world, shelf, number, contents):
    lost, sent = [], 0
    registry = SqliteUploads(world, lambda _: time.time())
    for blob in range(contents):
        asked = offer(f"{blob:02}", 100 + blob)
        recipient = Recipient(shelf, asked, number)
        gateway = FileGateway(
            registry=registry, recipient=recipient, offer=asked, owner=f"conversation:{number}", by=number, wait=_wait
        )  # fmt: skip
        given = _run(gateway.give())
        sent += recipient.sent
        if not (shelf / given.upload.provider_file_id).exists():
            lost.append(given.upload.provider_file_id)
    sys.stdout.write(json.dumps({"lost": lost, "sent": sent}))


async def _wait(_seconds):
    time.sleep(0.01)  # noqa: ASYNC251 - nobody else is in this process


def main():
    path, shelf, what, number, contents = sys.argv[1:]
    world, folder = _world(path, Path(shelf)), Path(shelf)
    if what == "give":
        _give(world, folder, number, int(contents))
        return
    _clean(world, folder)


def _clean(world, folder):
    import select

    from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator, CleanupLimits
    from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup

    coordinator = CleanupCoordinator(
        store=SqliteCleanup(world, world.unlink, lambda _: time.time()),
        registry=SqliteUploads(world, lambda _: time.time()),
        objects=Objects(world),
        shelves=lambda: {KIMI: Recipient(folder, offer("00"), "c")},
        limits=CleanupLimits(grace_s=0.0, history_s=9e9, files_bytes=10**9),
        now=time.time,
    )
    while not select.select([sys.stdin], [], [], 0)[0]:
        _run(coordinator.run(("condemn", "delete")))


if __name__ == "__main__":
    main()
