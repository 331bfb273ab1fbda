"""A machine that shares a Supabase and is killed at its nth moment: before a request to Supabase or to a provider, which is a folder.

Each line of stdin is an order, `what home moment blob`; a process of its own carries it out, and the answer is its exit status.
"""

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import attrs
import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator, CleanupLimits
from exai_trio.filestore.file_gateway import FileGateway
from exai_trio.filestore.shared_cleanup import SharedCleanup
from exai_trio.principals import OWNER
from exai_trio.storage.contracts.cleanup_records import Account
from exai_trio.storage.contracts.provider_uploads import Content, Offer
from exai_trio.storage.hosted import function_calls
from exai_trio.storage.supabase import http_requests
from exai_trio.storage.supabase.http_requests import Requests
from hosted.shared_machine import open_shared_machine

PATIENCE_S = 120.0
KIMI = Account(provider="kimi", account="a")
LIMITS = CleanupLimits(grace_s=-1.0, history_s=1e9, files_bytes=10**9)


@attrs.frozen
class Door:
    """Where Supabase is."""

    url: str
    key: str


@attrs.frozen
class File:
    """As a provider lists it."""

    id: str
    filename: str
    size: int
    created_at: int


@attrs.define
class Shelf:
    """A provider's files: each a file of the folder, called id, a colon and its name, with its size in it."""

    place: Path
    moment: object = lambda: None

    async def send(self, claim):
        await trio.lowlevel.checkpoint()
        self.moment()
        upload = claim.upload
        name = f"f{time.time_ns()}"
        (self.place / f"{name}:{upload.filename}").write_text(f"{upload.file_size_bytes}")
        self.moment()
        return File(name, upload.filename, upload.file_size_bytes, int(time.time()))

    async def listed(self, *, fresh=False):
        await trio.lowlevel.checkpoint()
        return tuple(map(_file, sorted(self.place.iterdir())))

    async def delete(self, file_id):
        await trio.lowlevel.checkpoint()
        self.moment()
        for path in self.place.glob(f"{file_id}:*"):
            path.unlink()
        self.moment()


def _file(path):
    file_id, _, name = path.name.partition(":")
    return File(file_id, name, int(path.read_text()), int(path.stat().st_mtime))


def content_of(blob):
    """Of a size of its own: of two that are alike nobody knows which a provider's file is."""
    number = "".join(filter(str.isdigit, blob))
    return f"content {blob} ".encode() * 100 + b"." * int(number or 0)


async def give(machine, shelf, blob, owner):
    """The content of that blob goes to the provider, and nobody but the owner refers to it then."""
    text = content_of(blob)
    sha256 = hashlib.sha256(text).hexdigest()

    async def pieces():
        await trio.lowlevel.checkpoint()
        yield text

    async def store():
        return (await machine.files.contents.put(sha256, len(text), pieces())).file_id

    content = Content(**attrs.asdict(KIMI), purpose="p", sha256=sha256)
    gateway = FileGateway(
        registry=machine.registry,
        recipient=shelf,
        offer=Offer(content=content, filename=f"{blob}.txt", size=len(text), method="gateway"),
        owner=f"call:{blob}",
        by="mortal",
        wait=trio.sleep,
        store=store,
    )
    given = await gateway.give()
    if owner:
        await machine.registry.increment_file_reference(given.upload.id, owner)
    await machine.registry.end_owner(f"call:{blob}")


async def upload(machine, shelf, blob):
    """A file, and a large result."""
    await give(machine, shelf, blob, "held:owner")
    text = f"result {blob} " * 1000
    await machine.bus.put(text, len(text), principal="owner", session="s", request="r")
    await machine.wait_sent()


async def clean(machine, shelf, _blob):
    """All stages, on both sides, and the results whose time is over."""
    await cleaning(machine, shelf).run(daily=False)
    await machine.contents.payloads.remove_old()


def cleaning(machine, shelf):
    kept, shelves = machine.files, {KIMI: shelf}
    local = CleanupCoordinator(
        store=kept.cleanup, registry=kept.registry.of(OWNER), objects=kept.objects, shelves=lambda: shelves,
        limits=LIMITS, now=lambda: 0.0, compares=False,
    )  # fmt: skip
    hosted = CleanupCoordinator(
        store=kept.hosted.cleanup, registry=kept.hosted.registry.of(OWNER), objects=kept.hosted.bucket,
        shelves=lambda: shelves, limits=LIMITS, now=lambda: 0.0,
    )  # fmt: skip
    return SharedCleanup(local=local, hosted=hosted)


def _dying(moment):
    """What is called at each moment."""
    left = [moment]

    def pass_by():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(asked):
        async def request(*given, **named):
            pass_by()
            return await asked(*given, **named)

        return request

    for name in ("post", "get", "look", "remove", "stream_up"):
        setattr(Requests, name, before(getattr(Requests, name)))
    return pass_by


async def _carry_out(order, door, place):
    what, home, moment, blob = order.split()
    shelf = Shelf(place, _dying(int(moment)))
    async with open_shared_machine(Path(home), door) as machine:
        await {"upload": upload, "clean": clean}[what](machine, shelf, blob)


def be_patient(patch=setattr):
    """However busy this machine is, a Supabase that answers late is not taken for one that is away."""
    patch(function_calls, "CALL_S", PATIENCE_S)
    patch(http_requests, "REQUEST_S", PATIENCE_S)


def main():
    be_patient()
    url, key, place = sys.argv[1:]
    for order in sys.stdin:
        pid = os.fork()
        if not pid:
            trio.run(_carry_out, order, Door(url, key), Path(place))
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
