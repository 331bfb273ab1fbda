"""A fault as plain values: what was raised or logged, and where in our code. Pure: no trio, no clock, no I/O."""

from typing import Literal

from exai_trio import structs

Kind = Literal["bug", "world"]
Severity = Literal["critical", "high", "medium", "low"]


@structs.frozen(kw_only=True)
class Frame:
    """A step of a trace. `ours`: it is of this package; `source` is the line as it stands there, "" for code of others."""

    module: str
    function: str
    line: int = 0
    source: str = ""
    ours: bool = True


@structs.frozen(kw_only=True)
class Fault:
    """One leaf of what a record told. `causes` are the types of what it was raised from, nearest first; `frames` run from the outermost
    to where it was raised; `type` is "" for a record without an exception; `message` is what it says, without what data say."""

    kind: Kind
    severity: Severity
    logger: str
    phrase: str
    type: str = ""
    message: str = ""
    causes: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
