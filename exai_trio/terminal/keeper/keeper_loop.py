"""The keeper's one loop: the terminal, the daemons' connections, the signals, the time. Standard library only.

It waits for no peer, and reads at most a few pieces of the terminal's output at a time: input has its turn between.
"""

import os
import selectors
import signal
import socket
import time
from functools import partial
from typing import Any, Final

from . import keeper_socket
from .daemon_peer import DaemonPeer, PeerLost
from .descendants import Ending, descendants, reap
from .keeper_requests import KeeperRequests
from .kept_session import CHUNK, KeptSession
from .pty_program import PtyProgram

_READS_A_TURN: Final = 32
# For output behind the program's end, where other processes keep the terminal open.
_LAST_WORDS_S: Final = 0.5
_IGNORED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU)
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class KeeperLoop:
    """Serves one session until nobody needs it any more."""

    def __init__(
        self,
        session: KeptSession,
        program: PtyProgram,
        record: dict[str, Any],
        listener: socket.socket,
    ) -> None:
        self.session = session
        self.program = program
        self.requests = KeeperRequests(session, program, record, time.monotonic)
        self.listener = listener
        self.peers: list[DaemonPeer] = []
        self._selector = selectors.DefaultSelector()
        self._ending = Ending()
        self._ending_next: float | None = None
        self._exit: int | None = None
        self._exited_at = 0.0
        self._is_output_over = False
        self._interest: dict[int, int] = {}
        self._read = memoryview(bytearray(CHUNK))  # one turn's output, before it is kept

    def take_signals(self) -> None:
        """From now on those of a dying daemon are nothing to it."""
        woken, wakes = os.pipe()
        for descriptor in (woken, wakes):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, _only_wake)
        signal.signal(signal.SIGTERM, self._asked_to_end)
        self._selector.register(woken, _READ, partial(_empty, woken))

    def run(self) -> None:
        """Return when the session is over, and nothing of it is left. Signals are taken by then."""
        self._selector.register(self.listener, _READ, self._accept)
        while self._goes_on(now := time.monotonic()):
            self._watch_terminal(now)
            for key, events in self._selector.select(self._timeout(now)):
                key.data(events)
            self._look_after()

    def _asked_to_end(self, *_: object) -> None:
        self.requests.is_to_end = True

    def _goes_on(self, now: float) -> bool:
        return not (self.session.is_over(now) and not descendants(os.getpid()))

    def _timeout(self, now: float) -> float | None:
        if self.requests.has_changed:
            return 0.0
        if self._ending_next is not None:  # what is due meanwhile waits for that look
            return max(0.0, self._ending_next - now)
        at = self.session.deadline(now)
        if self._exit is not None and not self._is_output_over:
            at = min(at, now + _LAST_WORDS_S / 4)
        return None if at == float("inf") else max(0.0, at - now)

    # the terminal

    def _watch_terminal(self, now: float) -> None:
        """Read while there is room, write while there is input: a terminal that is hung up would wake us without end."""
        self.program.set_size(self.session.size_now(now))
        wanted = 0
        if not self._is_output_over:
            wanted |= _READ if self.session.room(now) else 0
            wanted |= _WRITE if self.session.input.is_due else 0
        self._watch(self.program.master, wanted, self._serve_terminal)

    def _serve_terminal(self, events: int) -> None:
        if events & _WRITE:
            self._write_input()
        if events & _READ:
            self._read_output()

    def _read_output(self) -> None:
        now = time.monotonic()
        room, count = self.session.room(now), 0
        for _ in range(_READS_A_TURN):
            if count >= room:
                break
            more = self.program.read_into(self._read[count:room])
            if not more:
                self._is_output_over = more is not None
                break
            count += more
        if count:
            self.session.take_output(self._read[:count], now)

    def _write_input(self) -> None:
        waiting = self.session.input
        if not waiting.is_due:
            return
        now = time.monotonic()
        while waiting.is_due:
            mode = self.program.line_mode()
            data = waiting.next(mode)
            count = self.program.write(data) if data else None
            if not count:
                break
            taken = waiting.wrote(count, mode)
            if taken is not None:
                self.session.note_taken(*taken, now)
        for client, sequence in waiting.refused:
            self.session.tell_refused(client, sequence)
        for client, sequence in waiting.settled:
            self.session.note_taken(client, sequence, now)
        waiting.refused.clear()
        waiting.settled.clear()

    # the daemons

    def _accept(self, _events: int) -> None:
        connection = keeper_socket.accept(self.listener)
        if connection is not None:
            self.peers.append(DaemonPeer(connection))

    def _serve_peer(self, peer: DaemonPeer, events: int) -> None:
        if not events & _READ:
            return
        try:
            for frame in peer.read():
                self.requests.take(peer, frame)
        except PeerLost:
            self._lose(peer)
        self._write_input()

    def _lose(self, peer: DaemonPeer) -> None:
        self.peers.remove(peer)
        self._watch(peer.connection.fileno(), 0, None)
        peer.connection.close()
        if peer.viewer is not None:
            self.session.detach(peer.viewer, time.monotonic())
            self.requests.has_changed = True

    def _look_after(self) -> None:
        """What follows from what has happened in this turn."""
        now = time.monotonic()
        self._look_at_children(now)
        if self.requests.has_changed:
            self._tell_watchers()
        if self._ending.has_begun or self.requests.is_to_end or self.session.is_forgotten(now):
            self.requests.is_to_end = False
            self._ending_next = self._ending.step(now)
        for peer in list(self.peers):
            try:
                has_more = peer.write(self.session)
            except PeerLost:
                self._lose(peer)
                continue
            events = _READ | (_WRITE if has_more else 0)
            self._watch(peer.connection.fileno(), events, partial(self._serve_peer, peer))

    def _look_at_children(self, now: float) -> None:
        ended = reap()
        if self.program.pid in ended:
            self._exit, self._exited_at = ended[self.program.pid], now
            self.session.input.drop()
        if self._exit is None or self.session.exit is not None:
            return
        is_late = now - self._exited_at >= _LAST_WORDS_S and self.session.room(now) > 0
        if self._is_output_over or is_late:
            self._is_output_over = True
            self.session.end(_told(self._exit), now)
            self._watch(self.program.master, 0, None)
            self.requests.has_changed = True
            self._ending_next = self._ending.step(now)

    def _tell_watchers(self) -> None:
        self.requests.has_changed = False
        for peer in self.peers:
            if peer.watches:
                peer.tell(op="described", **self.requests.description())

    def _watch(self, descriptor: int, events: int, serve: Any) -> None:
        before = self._interest.get(descriptor, 0)
        if events == before:
            return
        self._interest[descriptor] = events
        if not events:
            del self._interest[descriptor]
            self._selector.unregister(descriptor)
        elif before:
            self._selector.modify(descriptor, events, serve)
        else:
            self._selector.register(descriptor, events, serve)


def _only_wake(*_: object) -> None:
    """A signal is looked after in the loop."""


def _empty(pipe: int, _events: int) -> None:
    os.read(pipe, 4096)


def _told(code: int) -> dict[str, Any]:
    """An exit as clients hear it: the status, or the name of the signal."""
    if code >= 0:
        return {"status": code}
    try:
        return {"signal": signal.Signals(-code).name}
    except ValueError:
        return {"signal": f"SIG{-code}"}
