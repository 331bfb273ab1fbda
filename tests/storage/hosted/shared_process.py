"""One of several processes on several homes that share one Supabase: it gives contents to a provider, which is a folder."""

import json
import sys
from pathlib import Path

import attrs
import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from exai_trio.filestore.file_gateway import FileGateway
from exai_trio.storage.contracts.provider_uploads import Content, Offer
from hosted.shared_machine import open_shared_machine


@attrs.frozen
class Supabase:
    """Where it is."""

    url: str
    key: str


@attrs.frozen
class File:
    """As the folder has it."""

    id: str
    filename: str = ""
    size: int = 0
    created_at: int = 0


@attrs.define
class Folder:
    """A provider."""

    place: Path
    mine: str
    sent: int = 0

    async def send(self, claim):
        self.sent += 1
        name = f"{claim.upload.sha256}-{self.mine}"
        (self.place / name).write_text("")
        await trio.sleep(0.002)
        return File(name, claim.upload.filename)

    async def listed(self, *, fresh=False):
        return tuple(File(path.name) for path in self.place.iterdir())


async def wait(_seconds):
    await trio.sleep(0.02)


async def main():
    home, url, key, shelf, number, contents = sys.argv[1:]
    folder = Folder(Path(shelf), number)
    lost = []
    async with open_shared_machine(Path(home), Supabase(url, key)) as machine:
        for blob in range(int(contents)):
            content = Content(provider="kimi", account="a", purpose="p", sha256=f"{blob:02}")
            gateway = FileGateway(
                registry=machine.registry,
                recipient=folder,
                offer=Offer(content=content, filename="f", size=blob + 1, method="direct"),
                owner=f"conversation:{number}",
                by=f"process {number}",
                wait=wait,
            )
            given = await gateway.give()
            if not (folder.place / given.upload.provider_file_id).exists():
                lost.append(given.upload.provider_file_id)
        await machine.wait_sent()
    sys.stdout.write(json.dumps({"lost": lost, "sent": folder.sent}))


if __name__ == "__main__":
    trio.run(main)
