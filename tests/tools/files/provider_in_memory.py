"""A provider that keeps files in memory, behind a gateway that asks it once."""

import trio

from exai_trio.errors import ProviderRefusedError
from exai_trio.providers.base import ProviderFile

MISSING = {"status": 404}


class MemoryProvider:
    """`sent` are the names of what was uploaded; what it holds is `files` by id, with the bytes. `fault` is raised instead of an answer."""

    def __init__(self):
        self.files, self.sent, self.fault = {}, [], None

    async def _turn(self):
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault

    async def upload_file(self, path, purpose, opened=None):
        await self._turn()
        content = path.read_bytes() if opened is None else opened.read()
        self.sent.append(path.name)
        found = ProviderFile(
            id=f"file_{len(self.sent)}",
            filename=path.name,
            size=len(content),
            created_at=1_790_000_000,
            purpose=purpose,
        )
        self.files[found.id] = found, content
        return found

    async def list_files(self):
        await self._turn()
        return tuple(found for found, _ in self.files.values())

    async def read_file(self, file_id):
        await self._turn()
        self._check(file_id)
        return self.files[file_id][1]

    async def delete_file(self, file_id):
        await self._turn()
        self._check(file_id)
        del self.files[file_id]

    def _check(self, file_id):
        if file_id not in self.files:
            raise ProviderRefusedError("no such file", details=MISSING)


class FilesGateway:
    """What a gateway of models is, and the providers' files beside it."""

    def __init__(self, models):
        self._models = models
        self.stores = {"kimi": MemoryProvider(), "glm": MemoryProvider()}
        self.file_limits = {"glm": 100}

    def __getattr__(self, name):
        return getattr(self._models, name)

    def account(self, provider):
        return f"{provider}-key"

    def permits(self):
        return dict.fromkeys(self.stores)

    async def ask(self, provider, request, listener, *, repeatable=True):
        del listener, repeatable
        return await request(self.stores[provider])
