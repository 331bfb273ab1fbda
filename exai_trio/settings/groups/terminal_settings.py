"""The settings of terminal sessions."""

from typing import Final

from exai_trio.settings import values as v
from exai_trio.settings.setting import group, setting

TERMINALS: Final = group(
    "Terminals",
    setting(
        "EXAI_TERMINALS",
        v.choice("false", "true", "root"),
        "let whoever has the token run commands here; root: also where the daemon runs as root",
    ),
    setting(
        "EXAI_TERM_COMMAND",
        v.line("a command"),
        "what a terminal runs; default: the user's shell",
    ),
    setting(
        "EXAI_TERM_CLAUDE_COMMAND",
        v.line("a command"),
        "what a terminal of type claude runs",
    ),
    setting("EXAI_TERM_MAX", v.whole(1, 1000), "terminal sessions at once"),
    setting("EXAI_TERM_MAX_PER_PRINCIPAL", v.whole(1, 1000), "of these, one principal's at most"),
    setting(
        "EXAI_TERM_HOLD_S",
        v.seconds(0, 3600),
        "how long output waits for a client before the oldest is overwritten",
    ),
    setting(
        "EXAI_TERM_IDLE_H",
        v.number(0.001, 8760, "hours"),
        "a session without client and output ends after so long",
    ),
)
