"""An answer on its way: its pieces are shown as they come, and at the end whatever did not come in pieces."""

from typing import Protocol

import attrs

from exai_trio import structs
from exai_trio.commands.console import Console, harmless
from exai_trio.wire.messages import DaemonMessage, Progress, StreamChunk


class Sheet(Protocol):
    """Where the text of an answer goes."""

    def piece(self, text: str) -> None: ...

    def finish(self) -> None: ...


@structs.define(eq=False)
class PlainSheet:
    """The text as it is, on a line of its own at the end."""

    _console: Console
    _last: str = "\n"

    def piece(self, text: str) -> None:
        if text:
            self._console.say(text, end="")
            self._last = text[-1]

    def finish(self) -> None:
        if self._last != "\n":
            self._console.say("")
            self._last = "\n"


def sheet_for(console: Console) -> Sheet:
    """What fits the terminal, or the pipe."""
    if not console.look.drawn:
        return PlainSheet(console)
    from exai_trio.commands.terminal.markdown_screen import MarkdownScreen  # noqa: PLC0415  # rich takes its time

    return MarkdownScreen(console.draw, console.columns, console.look)


@structs.define(eq=False)
class LiveAnswer:
    """What the one who waits has seen so far."""

    _console: Console
    _sheet: Sheet
    _pieces: list[str] = attrs.field(factory=list[str])

    @property
    def has_begun(self) -> bool:
        return bool(self._pieces)

    def show(self, message: DaemonMessage) -> None:
        match message:
            case StreamChunk():
                self.piece(message.chunk)
            case Progress() if not self.has_begun or self._console.look.drawn:
                doing = "the answer is coming" if self.has_begun else message.message
                self._console.status(f"{message.elapsed_s:5.1f} s  {doing}")
            case _:
                pass

    def piece(self, text: str) -> None:
        self._pieces.append(text)
        self._console.erase()
        self._sheet.piece(harmless(text) if self._console.look.drawn else text)

    def complete(self, content: str) -> None:
        """End with the whole answer: of what was shown in pieces nothing is shown twice, unless pieces were lost."""
        shown = "".join(self._pieces)
        if not shown and isinstance(self._sheet, PlainSheet) and self._console.look.passing:
            self._console.erase()
            self._console.tell(content.rstrip("\n"))
        elif content.startswith(shown):
            self.piece(content[len(shown) :])
        elif content.strip() != shown.strip():
            self.leave()
            self._console.note("exai: pieces of the answer were lost on the way; here it is whole")
            self.piece(content)
        self.leave()

    def leave(self) -> None:
        """Show what came, though no more comes."""
        self._console.erase()
        self._sheet.finish()
