"""What a terminal may be sent: colours, Markdown that is drawn, a line that is drawn over. Pure."""

from collections.abc import Mapping

from exai_trio import structs

_DUMB = frozenset({"", "dumb", "unknown"})


@structs.frozen(kw_only=True)
class Appearance:
    """`drawn`: Markdown is drawn rather than handed on as text. `passing`: a line may be erased again."""

    colour: bool = False
    drawn: bool = False
    passing: bool = False


def appearance(
    environ: Mapping[str, str], *, screen: bool, live: bool, plain: bool = False
) -> Appearance:
    """`screen` and `live` say whether stdout and stderr are terminals. FORCE_COLOR draws where there is none; NO_COLOR takes
    the colours away, and a dumb terminal everything."""
    forced = environ.get("FORCE_COLOR", "") not in {"", "0", "false"}
    able = environ.get("TERM", "") not in _DUMB
    drawn = not plain and (forced or (screen and able))
    return Appearance(
        colour=drawn and not environ.get("NO_COLOR"),
        drawn=drawn,
        passing=live and able and not plain,
    )
