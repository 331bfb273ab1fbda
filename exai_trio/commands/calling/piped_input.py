"""What is piped into a command: read to its end, as text, and not without a limit."""

import os
import select
import stat
from collections.abc import Callable
from typing import Final

from exai_trio import structs
from exai_trio.commands.calling.key_value import WordError

_PIECE: Final = 65_536
_SILENCE_S: Final = 2.0  # after which somebody who waits is told for what


@structs.frozen(kw_only=True)
class PipedInput:
    """A descriptor that is read. `note` is told once when nothing comes for a while."""

    descriptor: int
    note: Callable[[str], None]

    def is_given(self) -> bool:
        """Whether anything is piped or redirected into us: a person at a keyboard does not count, nor does nothing."""
        try:
            mode = os.fstat(self.descriptor).st_mode
        except OSError:  # audit: empty-handler, because a closed input is not given
            return False
        return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)

    def read(self, most: int) -> str:
        """The text to its end. Raises WordError for more than `most` bytes, or what is no text.

        Blocks; Ctrl-C ends it with KeyboardInterrupt.
        """
        self._mention_silence()
        data = bytearray()
        while piece := self._piece():
            data += piece
            if len(data) > most:
                raise WordError(
                    f"more than {most // 2**20} MiB are piped in; pipe in less (`… | tail -c 1M`), or name a file with -f"
                )
        return _text(bytes(data))

    def _piece(self) -> bytes:
        try:
            return os.read(self.descriptor, _PIECE)
        except OSError as fault:
            raise WordError(
                f"stdin cannot be read: {fault}; `< /dev/null` leaves it out"
            ) from fault

    def _mention_silence(self) -> None:
        readable, _, _ = select.select([self.descriptor], [], [], _SILENCE_S)
        if not readable:
            self.note("exai: waiting for the end of stdin; `< /dev/null` leaves it out")


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise WordError(
            f"what is piped in is no UTF-8 text (byte {fault.start}); name a file with -f, or convert it with iconv"
        ) from fault
    if "\0" in text:
        raise WordError("what is piped in is binary; name a file with -f, or pipe in its text")
    return text
