"""What must hold in every universe, checked as things happen. It draws no lots."""

import json
from collections.abc import Callable

import attrs

from exai_trio.wire.codec import decode_daemon
from exai_trio.wire.messages import CallFailed, CallResult

from .kinds import Kind
from .runs import Runs

FAIR_CODES = {"ok", "INTERRUPTED", "SERVICE_UNAVAILABLE", "OVER_CAPACITY", "CANCELLED", "TIMEOUT"}
REFUSALS = {"SERVICE_UNAVAILABLE", "OVER_CAPACITY"}
REPORTS = {"result"}  # tools that answer also where nothing can be written down
SENDS = 5  # of one call, by a shim whose daemons forget what they accept


@attrs.define(eq=False)
class Asked:
    """One call as its editor sees it."""

    tool: str
    mark: str
    cut: int  # how many daemons were, when it was asked
    accepted: bool = False
    outcome: str = ""
    waiting: int = 1  # requests of its editor that wait for it
    answers: int = 0
    withdrawn: bool = False
    given_up: bool = False
    runs: list = attrs.field(factory=list)  # numbers of the daemons that ran it
    heirs: list = attrs.field(factory=list)  # those that were to hear its outcome from another
    session: object = None  # in which it ran last
    goes_on: bool = False  # its outcome was a handle
    told: bool = False  # how it ended, to whoever asked by its handle

    @property
    def is_open(self) -> bool:
        return self.answers < self.waiting and not self.withdrawn


@attrs.define(eq=False)
class Handed:
    """A call whose editor has a handle. `told` is how it ended, as far as anybody has fetched that."""

    call: Asked
    told: str = ""


@attrs.define(eq=False)
class Oracle:
    """Calls are known as "window:number", which is also their request id."""

    note: Callable[[str], None]
    kind: Kind
    unkept: set  # calls whose outcome or handle the disk refused for long: their client may hear two outcomes, their editor one
    on_disk: Callable[[str], object | None]  # what the journal has of a call
    runs: Runs = attrs.field(init=False)
    calls: dict = attrs.field(factory=dict)
    handles: dict = attrs.field(factory=dict)
    by_mark: dict = attrs.field(factory=dict)
    faults: list = attrs.field(factory=list)
    tally: dict = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.runs = Runs(self.fail)

    def fail(self, what: str) -> None:
        self.note(f"BROKEN {what}")
        self.faults.append(what)

    def count(self, what: str) -> None:
        self.tally[what] = self.tally.get(what, 0) + 1

    def asked(self, key: str, tool: str, mark: str) -> None:
        self.note(f"asked {key} {tool}")
        self.calls[key] = call = Asked(tool, mark, len(self.runs.cut))
        if tool != "result":
            self.by_mark[mark] = key, call
        self.count("asked")

    def joined(self, key: str) -> None:
        """Another request asks for the same."""
        self.note(f"joined {key}")
        self.calls[key].waiting += 1

    def withdrawn(self, key: str) -> None:
        self.note(f"withdrawn {key}")
        call = self.calls[key]
        call.waiting -= 1
        call.withdrawn = not call.waiting
        self.count("withdrawn")

    def refused_to_end(self, key: str, code: str) -> None:
        """A daemon said so of a call that was withdrawn; one with a handle goes on without its request."""
        call = self.calls.get(key)
        if call and code == "NOT_FOUND" and call.tool in {"work", "once"}:
            self.note(f"no such call: {key}")
            if call.mark in self.runs.now and call.accepted:
                self.fail(f"{call.mark} runs, and is not known to who withdraws it")

    def accepted(self, key: str) -> None:
        self.note(f"accepted {key}")
        call = self.calls[key]
        call.accepted = True
        is_kept = self.kind.is_durable and call.tool not in REPORTS
        if is_kept and not call.outcome and self.on_disk(key) is None:
            self.fail(f"{key} was accepted before it was on disk")

    def outcome(self, key: str, code: str, *, is_handle: bool = False) -> None:
        self.note(f"outcome {key} {code}")
        call = self.calls[key]
        turned_away = call.outcome in REFUSALS and not call.answers  # its shim asks the next daemon
        again = {call.outcome, code} <= REFUSALS or turned_away
        reports = call.tool in REPORTS  # one that a slow disk takes late is said again
        if call.outcome and not again and not reports and key not in self.unkept:
            self.fail(f"{key} has two outcomes: {call.outcome} and {code}")
        if (
            code not in FAIR_CODES and call.tool != "result"
        ):  # what that says is looked at when it is told
            self.fail(f"{key} ended with {code}")
        abandoned = self.kind.short_grace  # its session ended while nobody was there
        if code == "INTERRUPTED" and not self._was_cut(call):
            self.fail(f"{key} was interrupted, and no daemon that ran it was cut: {call.runs}")
        if code == "CANCELLED" and not (call.withdrawn or call.given_up or abandoned):
            self.fail(f"{key} was cancelled by nobody")
        is_kept = self.kind.is_durable and call.tool not in REPORTS and key not in self.unkept
        if not call.outcome and code not in REFUSALS and is_kept:
            kept = _code_of(self.on_disk(key))
            if kept != code:
                self.fail(f"{key} heard {code} before that was on disk, which has {kept}")
        call.outcome = code
        call.goes_on = is_handle
        self.count(code)

    def transferred(self, key: str, life: int) -> None:
        """This daemon was told that the call runs in the one before it: from now on it alone keeps the outcome."""
        if key in self.calls:
            self.calls[key].heirs.append(life)

    def _was_cut(self, call: Asked) -> bool:
        """A daemon in which it ran, or was to run, or that was to keep its outcome, has ended before that was kept."""
        lives = (
            [*call.runs, *call.heirs] if call.runs else self.runs.cut
        )  # where `result` ran is not noted
        return not self.kind.is_durable or any(life in self.runs.cut for life in lives)

    def repeated(self, key: str) -> None:
        """An outcome that the client drops, because its number is an old one."""
        call = self.calls[key]
        if not call.outcome and not call.withdrawn:
            self.fail(f"{key}: its outcome has a number that is no news to its client")

    def answered(self, key: str, result) -> None:
        call = self.calls[key]
        call.answers += 1
        if call.answers > max(1, call.waiting):
            self.fail(f"{key} was answered {call.answers} times")
        self.runs.answered(call.mark)
        handle = _handle(result)
        if call.withdrawn and not call.outcome:
            self.fail(f"{key} was answered after it was withdrawn")
        elif not call.outcome and not _may_stand_alone(self.kind, call, result, handle):
            self.fail(
                f"{key} was given up: no outcome came (accepted: {call.accepted}, runs: {call.runs})"
            )
        if call.tool == "result" and handle and not call.outcome:
            self.count("given up")  # the shim's own word: what it asked for was in no journal
        elif call.tool == "result":
            self._fetched(key, call.mark, result, is_running=bool(handle))
        elif handle:
            self.note(f"handle {handle} for {key}")
            self.handles.setdefault(handle, Handed(call))
            self.count("handles")
        elif not call.outcome:
            call.given_up = True  # and cancelled in the daemon, which may have it
            self.count("given up")
        elif result is None or (not result.get("isError") and call.mark not in str(result)[:200]):
            self.fail(f"{key} got another answer than its own: {str(result)[:80]}")

    def _fetched(self, key: str, call_id: str, result, *, is_running: bool) -> None:
        """What `result` said. Once it has said how a call ended, it says so for ever; and never anything of another call."""
        handed = self.handles[call_id]
        code = _code(result)
        is_cut = code == "INTERRUPTED" and len(self.runs.cut) > self.calls[key].cut
        if (
            code in REFUSALS or is_cut
        ):  # of this very request: the daemon was full, is none, or ended meanwhile
            return
        text = "running" if is_running else code or result["content"][0]["text"]
        self.note(f"fetched {call_id} by {key}: {text}")
        self.count("fetched running" if is_running else f"fetched {code or 'ok'}")
        if not is_running and not code and text != f"done {handed.call.mark}":
            self.fail(f"{call_id} of {handed.call.mark} gave {text!r}")
        unkept = {"NOT_FOUND"} if self.by_mark[handed.call.mark][0] in self.unkept else set()
        if code and code not in self._fair_ends | unkept:
            self.fail(f"{call_id} of {handed.call.mark} cannot be fetched: {code}")
        if handed.told and text != handed.told and code not in {"INTERRUPTED", "NOT_FOUND"}:
            self.fail(f"{call_id} had ended with {handed.told!r} and is now {text!r}")
        if not is_running:
            handed.told = handed.told or text
            handed.call.told = True

    @property
    def _fair_ends(self) -> set:
        """How a call may be said to have ended that has a handle; without a journal nobody may know of it any more."""
        gone = set() if self.kind.is_durable else {"NOT_FOUND"}
        left = {"CANCELLED"} if self.kind.short_grace else set()
        return {"INTERRUPTED", "TIMEOUT"} | gone | left

    def ran(self, mark: str, life: int, session) -> None:
        """Its tool begins. Without a journal, whatever a session that was shed had kept is lost, and its client sends it again."""
        key, call = self.by_mark[mark]
        self.note(f"runs {mark} in {life}")
        self.count("reruns" if call.runs else "runs")
        is_over = call.told if call.goes_on else call.outcome not in {"", *REFUSALS}
        if is_over and key not in self.unkept:
            self.fail(f"{mark} runs after its outcome was told: {call.outcome or 'by its handle'}")
        is_lost = not self.kind.is_durable and call.session is not None and call.session._shed
        if life in call.runs and not is_lost:
            self.fail(f"{mark} ran twice in one daemon")
        call.runs.append(life)
        call.session = session
        if len(call.runs) > self._most_runs(call):
            self.fail(f"{mark} ran {len(call.runs)} times, in {call.runs}")
        self.runs.begin(mark, life, alone=self.kind.is_durable)

    def _most_runs(self, call: Asked) -> int:
        """What no daemon remembers, and no client heard the acceptance of, is sent again."""
        if not self.kind.is_durable:
            return 1 if call.tool == "once" and call.accepted else SENDS
        return 1 if call.tool == "once" else self.kind.config.call_max_attempts

    def check_remembered(self) -> None:
        """A daemon starts: whatever was accepted, and has no answer yet, is in the journal."""
        for key, call in self.calls.items():
            forgotten = (
                call.accepted and call.is_open and not call.outcome and key not in self.unkept
            )
            if forgotten and call.tool not in REPORTS and self.on_disk(key) is None:
                self.fail(f"{key} was accepted, and no journal has it")

    def lost(self, window: str) -> None:
        """The window was killed: nobody waits for its answers any more."""
        for key, call in self.calls.items():
            if key.startswith(f"{window}:") and call.is_open:
                call.withdrawn = True

    def check_all_answered(self) -> None:
        for key, call in self.calls.items():
            if call.is_open:
                self.fail(f"{key} is never answered (accepted: {call.accepted}, runs: {call.runs})")

    def check_ran_once(self, key: str) -> None:
        """Nothing has gone wrong since it was asked: where it ran it has ended."""
        runs = self.calls[key].runs
        if len(runs) != 1:
            self.fail(f"{key} ran {len(runs)} times, in {runs}, though no daemon was lost")

    def check_all_fetched(self) -> None:
        for call_id, handed in self.handles.items():
            if not handed.told:
                self.fail(f"{call_id} of {handed.call.mark} never ends")


def _code_of(kept) -> str:
    """How the journal says that this call ended."""
    if kept is None or kept.outcome is None:
        return "nothing"
    match decode_daemon(kept.outcome.frame).message:
        case CallResult():
            return "ok"
        case CallFailed() as failed:
            return failed.error.code
    return "what is no outcome"


def _code(result) -> str:
    return (result or {}).get("_meta", {}).get("exai/error", {}).get("code", "")


def _may_stand_alone(kind: Kind, call: Asked, result, handle: str) -> bool:
    """An answer of the shim's own: at its client's limit, or since there was no daemon for as long as the call could have taken."""
    if handle:
        return call.accepted
    code = _code(result)
    if code == "INTERRUPTED" and not kind.is_durable:
        return call.accepted
    return code == "SERVICE_UNAVAILABLE" or (call.tool == "long" and code == "TIMEOUT")


def _handle(result) -> str:
    """The call_id, if this is the answer that stands for a call that goes on."""
    try:
        said = json.loads(result["content"][0]["text"])
        return said["call_id"] if said["status"] == "running" else ""
    except (TypeError, KeyError, IndexError, ValueError):
        return ""
