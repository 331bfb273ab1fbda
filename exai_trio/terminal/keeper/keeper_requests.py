"""What a daemon asks of the keeper, frame by frame. Standard library only."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from . import keeper_frames
from .daemon_peer import DaemonPeer
from .kept_session import KeptSession, Refused, checked_size
from .pty_program import PtyProgram
from .system_calls import unless_gone

SIGNALS: Final = frozenset({"INT", "TERM", "HUP", "QUIT", "KILL", "TSTP", "CONT", "USR1", "USR2", "WINCH"})  # fmt: skip
MOST_NAME: Final = 80  # characters
_CONFIRMS: Final = "exited"


class KeeperRequests:
    """`record` describes the session; `is_to_end` is set once somebody wants its end, `has_changed` once watchers are to hear."""

    def __init__(
        self,
        session: KeptSession,
        program: PtyProgram,
        record: dict[str, Any],
        clock: Callable[[], float],
    ) -> None:
        self.session = session
        self.program = program
        self.record = record
        self.is_to_end = False
        self.has_changed = False
        self._clock = clock
        self._answers: dict[str, Callable[[DaemonPeer, dict[str, Any]], None]] = {
            "attach": self._attach,
            "ack": self._acknowledge,
            "resize": self._resize,
            "clear": self._clear,
            "reconnect": self._begin_again,
            "signal": self._signal,
            "kill": self._kill,
            "rename": self._rename,
            "describe": self._describe,
            "watch": self._watch,
        }

    def take(self, peer: DaemonPeer, frame: keeper_frames.Frame) -> None:
        """Do what one frame asks; what cannot be done is said to its sender, and nothing else changes."""
        kind, payload = frame
        sequence: int | None = None
        try:
            if kind == keeper_frames.INPUT:
                sequence, data = keeper_frames.numbered(payload)
                viewer = self._viewer_of(peer)
                self.session.type(viewer, sequence, data, self._clock())
                return
            fields = keeper_frames.fields_of(payload)
            answer = self._answers.get(str(fields.get("op")))
            if answer is None:
                raise Refused("INVALID_REQUEST", "no such request")
            answer(peer, fields)
        except keeper_frames.FrameError as fault:
            self._refuse(peer, Refused("INVALID_REQUEST", str(fault)), None)
        except Refused as refused:
            self._refuse(peer, refused, sequence)

    def description(self) -> dict[str, Any]:
        """The record, and how the session does."""
        session = self.session
        idle_s = self._clock() - session.active_at
        return {
            **self.record,
            "last_activity": time.time() - idle_s,
            "state": "running" if session.exit is None else "ended",
            "exit": session.exit,
            "clients": len(session.viewers),
            "head": session.ring.head,
            "cols": session.size[0],
            "rows": session.size[1],
            "keeper": os.getpid(),
        }

    def _refuse(self, peer: DaemonPeer, refused: Refused, sequence: int | None) -> None:
        told = {} if sequence is None else {"sequence": sequence}
        speaker = peer if peer.viewer is None else peer.viewer
        speaker.tell(op="error", code=refused.code, message=refused.message, **told)

    def _attach(self, peer: DaemonPeer, fields: dict[str, Any]) -> None:
        if peer.viewer is not None:
            raise Refused("INVALID_REQUEST", "this connection has attached already")
        client, offset = fields.get("client_id"), fields.get("offset")
        if not isinstance(client, str) or not client:
            raise Refused("INVALID_REQUEST", "an attachment needs a client_id")
        if offset is not None and type(offset) is not int:
            raise Refused("INVALID_REQUEST", "offset must be a whole number")
        size = checked_size(fields.get("cols"), fields.get("rows"))
        now, writes = self._clock(), fields.get("mode") != "ro"
        viewer = self.session.attach(client, offset, size, writes=writes, now=now)
        cols, rows = self.session.size
        viewer.tell(
            op="attached",
            session_id=self.record["session_id"],
            type=self.record["type"],
            tab_name=self.record["tab_name"],
            offset=viewer.cursor,
            head=self.session.ring.head,
            taken=self.session.input.taken(client),
            cols=cols,
            rows=rows,
            exit=self.session.exit,
        )
        peer.viewer = viewer
        self.has_changed = True

    def _viewer_of(self, peer: DaemonPeer) -> Any:
        if peer.viewer is None:
            raise Refused("INVALID_REQUEST", "attach first")
        return peer.viewer

    def _acknowledge(self, peer: DaemonPeer, fields: dict[str, Any]) -> None:
        viewer = self._viewer_of(peer)
        self.session.acknowledge(viewer, _whole(fields, "offset"), self._clock())
        if fields.get(_CONFIRMS) is True and self.session.exit is not None:
            viewer.has_confirmed = True

    def _resize(self, peer: DaemonPeer, fields: dict[str, Any]) -> None:
        size = checked_size(fields.get("cols"), fields.get("rows"))
        redraw = fields.get("redraw") is True
        self.session.resize(self._viewer_of(peer), size, self._clock(), redraw=redraw)

    def _clear(self, peer: DaemonPeer, _fields: dict[str, Any]) -> None:
        if not self._viewer_of(peer).writes:
            raise Refused("NOT_ALLOWED", "this client is attached to read only")
        self.session.ring.begin_here()

    def _begin_again(self, peer: DaemonPeer, fields: dict[str, Any]) -> None:
        viewer = self._viewer_of(peer)
        self.session.begin_again(viewer, _whole(fields, "offset"), self._clock())

    def _signal(self, peer: DaemonPeer, fields: dict[str, Any]) -> None:
        name = str(fields.get("name", "")).removeprefix("SIG")
        if name not in SIGNALS:
            raise Refused("INVALID_REQUEST", f"signals are {', '.join(sorted(SIGNALS))}")
        if not self._viewer_of(peer).writes:
            raise Refused("NOT_ALLOWED", "this client is attached to read only")
        group = self.program.foreground()
        if group is not None:
            unless_gone(os.killpg, group, signal.Signals[f"SIG{name}"])

    def _kill(self, peer: DaemonPeer, _fields: dict[str, Any]) -> None:
        if peer.viewer is not None and not peer.viewer.writes:
            raise Refused("NOT_ALLOWED", "this client is attached to read only")
        self.is_to_end = True

    def _rename(self, peer: DaemonPeer, fields: dict[str, Any]) -> None:
        name = fields.get("tab_name")
        if not isinstance(name, str) or len(name) > MOST_NAME or not name.isprintable():
            raise Refused("INVALID_REQUEST", f"a name has at most {MOST_NAME} printable characters")
        self.record["tab_name"] = name
        self.has_changed = True
        peer.tell(op="described", **self.description())

    def _describe(self, peer: DaemonPeer, _fields: dict[str, Any]) -> None:
        peer.tell(op="described", **self.description())

    def _watch(self, peer: DaemonPeer, _fields: dict[str, Any]) -> None:
        peer.watches = True
        peer.tell(op="described", **self.description())


def _whole(fields: dict[str, Any], name: str) -> int:
    found = fields.get(name)
    if type(found) is not int:
        raise Refused("INVALID_REQUEST", f"{name} must be a whole number")
    return int(found)
