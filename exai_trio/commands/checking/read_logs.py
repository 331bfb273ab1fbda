"""`exai logs`: the newest lines of the daemon's log, those about an id, and with -f what comes."""

import os
from argparse import Namespace
from pathlib import Path
from typing import BinaryIO, Final

import trio

from exai_trio import structs
from exai_trio.commands.checking import log_search
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.errors import NotFoundError
from exai_trio.system.private_files import open_at_once

DONE = 0
_LOOK_S: Final = 0.2


def main(started: Started) -> int:
    console = Console.of_process(started.environ)
    return trio.run(run, started.loaded.config, started.arguments, console)


async def run(config: Config, asked: Namespace, console: Console) -> int:
    """The exit code; with -f only when cancelled. Raises NotFoundError, or BrokenPipeError when nobody reads any more."""
    folder = config.logs
    if asked.id:
        lines = await trio.to_thread.run_sync(log_search.about, folder, asked.id)
    else:
        lines = await trio.to_thread.run_sync(log_search.newest, folder, asked.lines)
    if not lines and not asked.follow:
        what = f"no line names {asked.id}" if asked.id else "there are no lines"
        raise NotFoundError(f"{what} in the logs of {folder}", details={"typed": asked.id})
    for line in lines:
        _say(line, console)
    if asked.follow:
        await _follow(folder / log_search.DAEMON, asked.id or "", console)
    return DONE


def _say(line: str, console: Console) -> None:
    console.tell(log_search.readable(line) if console.screen else line)


async def _follow(path: Path, wanted: str, console: Console) -> None:
    """Say each line that is added from now on, also when the file is rotated. Until cancelled."""
    tail = _Tail(path)
    tail.skip()
    try:
        while True:
            for line in tail.lines():
                if wanted in line:
                    _say(line, console)
            await trio.sleep(_LOOK_S)
    finally:
        tail.close()


@structs.define(eq=False)
class _Tail:
    """What is added to a file that may be replaced by another of its name."""

    _path: Path
    _file: BinaryIO | None = None
    _rest: bytes = b""

    def skip(self) -> None:
        """What is there now is known."""
        if self._opened():
            assert self._file is not None
            self._file.seek(0, os.SEEK_END)

    def lines(self) -> list[str]:
        found = self._read()
        if self._is_replaced():
            self.close()
            if self._opened():
                found += self._read()
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> bool:
        if self._file is None:
            try:
                self._file = open_at_once(self._path)
            except OSError:
                # audit: empty-handler, because a log that is not there yet is looked for again
                return False
        return True

    def _read(self) -> list[str]:
        if not self._opened() or self._file is None:
            return []
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def _is_replaced(self) -> bool:
        if self._file is None:
            return False
        try:
            there = self._path.stat()
        except OSError:  # audit: fault-as-success, because a file that is gone is replaced
            return True
        return there.st_ino != os.fstat(self._file.fileno()).st_ino
