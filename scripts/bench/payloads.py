"""Large results: whole in the client's hands, by reference and in one message, by turns; what others wait meanwhile; memory."""

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from exai_trio.transport.websocket import Limits, connect
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import Ack, CallResult, CallTool, Hello
from exai_trio.wire.payload_download import PayloadDownload
from exai_trio.wire.payload_frames import decode_piece, reference_in

from .editor import Editor
from .peer import run
from .processes import FLOOR, NotMeasured, child, environment, home, ours, read_line
from .report import Goal, Row, median

MIB = 2**20
LARGEST = 100 * MIB
_SETTINGS = {
    "inline": {"MESSAGE_BUS_ENABLED": "false"},
    "none": {"MESSAGE_BUS_COMPRESSION": "none"},
    "gzip": {"MESSAGE_BUS_COMPRESSION": "gzip"},
}
_MOST_OF_INLINE = {"none": 0.7, "gzip": 1.5}
_MOST_PING, _MOST_PING_P99_MS = 0.3, 20.0
_MOST_MIB = {"daemon": 8.0, "shim": 6.0}


@attrs.frozen
class Served:
    """A daemon with the tool of `text_daemon`."""

    port: int
    pid: int
    home: Path


@contextmanager
def daemon(way: str) -> Generator[Served]:
    with home() as place:
        env = environment(
            place,
            EXAI_WS_PORT=0,
            EXAI_WS_MAX_BYTES=64 * MIB,
            LOG_LEVEL="WARNING",
            **_SETTINGS[way],
        )
        with child([sys.executable, str(FLOOR / "text_daemon.py")], env, place) as process:
            line = read_line(process)
            yield Served(int(line.partition("127.0.0.1:")[2].partition("/")[0]), process.pid, place)


async def _fetched(port: int, size: int, *, accepts: bool) -> float:
    """Seconds from the call to the last byte of its text."""
    async with connect("127.0.0.1", port, Limits(max_bytes=64 * MIB)) as socket:
        hello = Hello(protocol=2, accepts=["payload_ref"] if accepts else [])
        await socket.send(encode(hello))
        await socket.receive()
        began = time.perf_counter()
        call = CallTool(request_id="r", name="bench_text", arguments={"size": size})
        await socket.send(encode(call))
        result = None
        while not isinstance(result, CallResult):
            heard = decode_daemon(await socket.receive())
            result = heard.message
        await socket.send(encode(Ack(seq=heard.seq or 0)))
        ref = reference_in(result)
        text = bytearray() if ref else result.outputs[0].text.encode()
        if ref is not None:
            download = PayloadDownload("r", ref)
            while not download.is_complete:
                if due := download.due():
                    await socket.send(*map(encode, due))
                text += download.take(decode_piece(await socket.receive()))
            if download.fault() is not None:
                raise NotMeasured("the result did not arrive as it was stored")
            await socket.send(encode(download.acknowledgement()))
        took = time.perf_counter() - began
        if len(text) != size:
            raise NotMeasured(f"{len(text)} bytes came instead of {size}")
        return took


@contextmanager
def pinging(served: Served) -> Generator[list[float]]:
    """Worst and p99 of another session's pings, in ms, once the context is left."""
    found: list[float] = []
    command = [sys.executable, str(FLOOR / "pinger.py"), str(served.port)]
    with child(command, environment(served.home), served.home) as process:
        read_line(process)
        yield found
        assert process.stdin is not None
        process.stdin.close()
        found += [float(word) for word in read_line(process).split()]


def results(*, quick: bool) -> Iterator[Row]:
    """4 and 16 MiB, whole, and the pings of another session during them."""
    rounds = 2 if quick else 9
    with ExitStack() as stack:
        daemons = {way: stack.enter_context(daemon(way)) for way in _SETTINGS}
        for size in (4 * MIB, 16 * MIB):
            yield from _of_size(daemons, size, rounds)


def _of_size(daemons: dict[str, Served], size: int, rounds: int) -> Iterator[Row]:
    took: dict[str, list[float]] = {way: [] for way in daemons}
    pings: dict[str, list[list[float]]] = {way: [] for way in daemons}
    for number in range(rounds + 1):
        for way, served in daemons.items():
            with pinging(served) as found:
                seconds = run(_told if way == "inline" else fetch, served.port, size)
            if number:  # the first round warms up
                took[way].append(seconds)
                pings[way].append(found)
    name = f"{size // MIB} MiB"
    inline = median(took["inline"]) * 1000
    worst = median([found[0] for found in pings["inline"]])
    for way, bound in _MOST_OF_INLINE.items():
        what = f"result of {name}, {way}: whole, median (floor: in one message)"
        goal = Goal("at most", bound, of_floor=True)
        yield Row(what=what, unit="ms", ours=median(took[way]) * 1000, floor=inline, goal=goal)
        yield Row(
            what=f"  {name}, {way}: worst ping of another session",
            unit="ms",
            ours=median([found[0] for found in pings[way]]),
            floor=worst,
            goal=Goal("at most", _MOST_PING, of_floor=True),
        )
        yield Row(
            what=f"  {name}, {way}: its p99",
            unit="ms",
            ours=median([found[1] for found in pings[way]]),
            floor=median([found[1] for found in pings["inline"]]),
            goal=Goal("at most", _MOST_PING_P99_MS),
        )


async def _told(port: int, size: int) -> float:
    return await _fetched(port, size, accepts=False)


async def fetch(port: int, size: int) -> float:
    return await _fetched(port, size, accepts=True)


def memory(*, quick: bool) -> Iterator[Row]:
    """The most that a result of 100 MiB takes, beyond its text in the daemon, and in all in the shim."""
    del quick
    with daemon("gzip") as served:
        run(fetch, served.port, LARGEST)  # its text is there from now on
        base = reset_peak(served.pid)
        run(fetch, served.port, LARGEST)
        yield _memory_row("daemon", (peak(served.pid) - base) / MIB)
        env = environment(served.home, EXAI_WS_PORT=served.port, SIMPLE_TOOL_TIMEOUT_SECS=120)
        with child(ours("shim"), env, served.home) as process:
            editor = Editor(process)
            editor.greet()
            _ask(editor, 2 * MIB)
            base = reset_peak(process.pid)
            _ask(editor, LARGEST)
            yield _memory_row("shim", (peak(process.pid) - base) / MIB)


def _ask(editor: Editor, size: int) -> None:
    editor.ask("tools/call", {"name": "bench_text", "arguments": {"size": size}})


def _memory_row(who: str, mib: float) -> Row:
    what = f"memory for a result of 100 MiB beyond its text: {who}"
    return Row(what=what, unit="MiB", ours=mib, goal=Goal("at most", _MOST_MIB[who]))


def reset_peak(pid: int) -> int:
    """Its memory now; the peak counts from here."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    return _status(pid, "VmHWM")


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024
