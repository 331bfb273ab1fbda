"""The last line of a terminal while its daemon is away. Pure: no trio, no clock, no I/O."""

from typing import Final

from exai_trio.commands.terminal.text_width import cut
from exai_trio.terminal.reconnect_rules import ReconnectRules

_SAVE, _RESTORE = "\x1b7", "\x1b8"
_REVERSE, _PLAIN, _ERASE = "\x1b[7m", "\x1b[0m", "\x1b[K"
# What programs switch on and a shell does not expect: other screen, mouse, pasting in brackets, keypad; the cursor is shown.
RESET: Final = b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h\x1b[r\x1b[0m"
CLEAN: Final = b"\x18\x1bc"  # ends what is begun, and sets everything back


def words(why: str, rules: ReconnectRules, waiting: int) -> str:
    """What the line says; `waiting` are the bytes that are typed and not taken."""
    trying = "resting between attempts" if rules.is_resting else "trying again"
    typed = f"; {waiting} bytes that you typed wait" if waiting else ""
    return f" exai: the daemon is away ({why}); {trying}{typed}; Ctrl-] d leaves "


def drawn(text: str, size: tuple[int, int]) -> bytes:
    cols, rows = size
    shown = cut(text, cols)
    return f"{_SAVE}\x1b[{rows};1H{_REVERSE}{shown}{_PLAIN}{_ERASE}{_RESTORE}".encode()


def erased(size: tuple[int, int]) -> bytes:
    return f"{_SAVE}\x1b[{size[1]};1H{_ERASE}{_RESTORE}".encode()
