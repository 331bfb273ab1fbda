"""One session on the user's own terminal: keys there, output here, until either ends."""

import signal
from functools import partial
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.shim.autostart import Starter
from exai_trio.terminal.keeper.safe_start import SafeStart
from exai_trio.terminal.reconnect_rules import ReconnectRules
from exai_trio.terminal.terminal_link import TerminalLink
from exai_trio.terminal.terminal_view import Outcome
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import Mode

from . import away_line
from .prefix_keys import PrefixKeys
from .raw_terminal import RawTerminal, raw_terminal
from .terminal_requests import ask, dialled, shown_to

SIGNALLED: Final = 128
_SILENT_S: Final = 1.0  # a daemon that was away for less disturbs no screen
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


@structs.frozen(kw_only=True)
class Ended:
    """`code` is the command's, `words` what is said below the screen."""

    code: int
    words: str = ""


@structs.define(eq=False)
class ScreenView:
    """Shows a link's output, and in the last line that the daemon is away."""

    terminal: RawTerminal
    link: TerminalLink | None = None
    words: list[str] = attrs.field(factory=list[str])
    _state: SafeStart = attrs.field(factory=SafeStart)
    _away_since: float | None = None
    _is_drawn: bool = False

    async def show_some(self, data: bytes) -> int:
        """Show the beginning of it; how many bytes that was. Cancelling shows nothing."""
        count = await self.terminal.show_some(data)
        self._state.pass_over(data[:count])
        return count

    def lost(self, count: int) -> None:
        self.terminal.show_at_once(away_line.CLEAN)
        self._state = SafeStart()
        self.terminal.show_at_once(f"[exai: {count} bytes of output are gone]\r\n".encode())

    def resized(self, cols: int, rows: int) -> None:
        """Another client's window rules; ours shows what fits."""

    def away(self, why: str, rules: ReconnectRules) -> None:
        now = trio.current_time()
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since < _SILENT_S or not self._state.is_between:
            return
        self._is_drawn = True
        waiting = 0 if self.link is None else self.link.keys.waiting
        text = away_line.words(why, rules, waiting)
        self.terminal.show_at_once(away_line.drawn(text, self.terminal.size))

    def back(self) -> None:
        self._away_since = None
        if self._is_drawn and self.link is not None:
            self._is_drawn = False
            self.terminal.show_at_once(away_line.erased(self.terminal.size))
            self.link.resize(*self.terminal.size, redraw=True)

    def refused(self, fault: TerminalError) -> None:
        self.terminal.show_at_once(b"\a")
        self.words.append(f"{fault.code}: {fault}")


async def attach(config: Config, session_id: str, mode: Mode) -> Ended:
    """Show the session until it ends, or the user leaves. Raises ServiceUnavailableError where there is no terminal. Cancelling
    detaches; the terminal is as it was before."""
    with raw_terminal() as terminal:
        view = ScreenView(terminal)
        view.link = link = TerminalLink(
            dial=partial(dialled, config),
            credential=partial(shown_to, config),
            session_id=session_id,
            view=view,
            size=terminal.size,
            mode=mode,
            door=Starter(config.client_host, config.ws_port, config.state, ()).listening
            if config.loopback_only
            else None,
        )
        ended = await _attached(config, link, view)
    return attrs.evolve(ended, words="\n".join([*view.words, ended.words]).strip())


async def _attached(config: Config, link: TerminalLink, view: ScreenView) -> Ended:
    """The first thing that ends it."""
    found: list[Ended] = []

    async with trio.open_nursery() as legs:

        def end(how: Ended) -> None:
            found.append(how)
            legs.cancel_scope.cancel(reason="the attachment is over")

        async def show() -> None:
            end(_ended(await link.run()))

        async def type_keys() -> None:
            if await _typed(config, link, view.terminal):
                end(Ended(code=0, words=f"[detached from {link.session_id}]"))
            else:
                end(Ended(code=SIGNALLED + signal.SIGHUP))

        async def hear_signals() -> None:
            with trio.open_signal_receiver(*_ENDING, signal.SIGWINCH) as signals:
                async for number in signals:
                    if number != signal.SIGWINCH:
                        end(Ended(code=SIGNALLED + number))
                    link.resize(*view.terminal.size)

        for leg in (show, type_keys, hear_signals):
            legs.start_soon(leg)
    return found[0]


async def _typed(config: Config, link: TerminalLink, terminal: RawTerminal) -> bool:
    """Pass on what is typed until the user wants to leave; false if the terminal is gone."""
    prefix, leaves = PrefixKeys(), False
    async with trio.open_nursery() as asking:
        while not leaves and (keys := await terminal.keys()):
            data, wishes = prefix.take(keys)
            if data and not link.type(data) and link.mode == "rw":
                terminal.show_at_once(b"\a")
            if "kill" in wishes:
                asking.start_soon(_kill, config, link.session_id)
            leaves = "detach" in wishes
        asking.cancel_scope.cancel(reason="nothing more is typed")
    return leaves


async def _kill(config: Config, session_id: str) -> None:
    await ask(config, "kill", session_id=session_id)


def _ended(outcome: Outcome) -> Ended:
    match outcome.kind:
        case "exited":
            return _exited(outcome)
        case "superseded":
            return Ended(code=1, words="[the same client has attached elsewhere]")
        case _:
            return Ended(
                code=1, words=f"{outcome.fault.code}: {outcome.fault}" if outcome.fault else ""
            )


def _exited(outcome: Outcome) -> Ended:
    name = outcome.exit.get("signal")
    if name is None:
        return Ended(code=int(outcome.exit.get("status", 0)))
    number = getattr(signal, str(name), 0)
    return Ended(code=SIGNALLED + int(number), words=f"[ended by {name}]")
