"""What is kept in memory or in a table of SQLite: the parameters of a fixture that opens either, for tests of their one contract."""

from contextlib import asynccontextmanager

import pytest

from exai_trio.storage.sqlite.store import open_sqlite


def either(in_memory, in_table):
    """Each opens with the path of a file; `in_memory()` and `in_table(store)` make what is tested."""

    @asynccontextmanager
    async def memory(_path):
        yield in_memory()

    @asynccontextmanager
    async def sqlite(path):
        async with open_sqlite(path) as store:
            yield in_table(store)

    return [
        pytest.param(memory, id="memory"),
        pytest.param(sqlite, id="sqlite", marks=pytest.mark.real),
    ]
