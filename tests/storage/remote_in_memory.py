"""The other side of a mirror that forgets: buckets as dicts, functions as a table of what they return."""

from contextlib import asynccontextmanager
from hashlib import sha256

import attrs
import msgspec
import trio

from exai_trio.storage.contracts.file_objects import ObjectFacts


@attrs.define
class MemoryBucket:
    """`faults` are raised before anything is done, the first first."""

    contents: dict = attrs.field(factory=dict)
    faults: list = attrs.field(factory=list)
    puts: list = attrs.field(factory=list)

    async def _answer(self):
        await trio.lowlevel.checkpoint()
        if self.faults:
            raise self.faults.pop(0)

    async def put(self, name, size, content):
        await self._answer()
        self.contents[name] = b"".join([piece async for piece in content])
        self.puts.append((name, size))

    @asynccontextmanager
    async def open(self, name, offset=0):
        await self._answer()
        content = self.contents.get(name)
        yield None if content is None else _pieces(content[offset:])

    async def size(self, name):
        await self._answer()
        return len(self.contents[name]) if name in self.contents else None

    async def delete(self, name):
        await self._answer()
        return self.contents.pop(name, None) is not None

    async def listed(self):
        await self._answer()
        return tuple(
            ObjectFacts(sha256=name, file_id=name, size=len(content), stored_at=0.0)
            for name, content in self.contents.items()
        )


async def _pieces(content):
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


@attrs.define
class MemoryRemote:
    """`returns` is what its functions say, or raise; `called` what they were given."""

    returns: dict = attrs.field(factory=dict)
    called: list = attrs.field(factory=list)
    buckets: dict = attrs.field(factory=dict)

    def bucket(self, name):
        return self.buckets.setdefault(name, MemoryBucket())

    async def call(self, function, body, returned):
        await trio.lowlevel.checkpoint()
        self.called.append((function, msgspec.json.decode(body)["body"]))
        answer = self.returns[function]
        if isinstance(answer, Exception):
            raise answer
        return msgspec.convert(answer, returned)


async def pieces(content):
    yield content


def hash_of(content):
    return sha256(content).hexdigest()
