"""The grammar of ENV_FILE. Pure: text in, assignments and faults out.

    file     = line*                          lines end with LF or CRLF; a BOM at the start is ignored
    line     = blank | comment | ["export "] NAME "=" value [comment]
    NAME     = letter or "_", then letters, digits, "_"
    value    = bare | 'single' | "double"
    bare     = up to the end of the line, or to a # with a blank before it; outer blanks are dropped
    'single' = as it stands, up to the next '
    "double" = as it stands, but \\n \\t \\" \\\\ \\$ mean newline, tab, quote, backslash and dollar

Nothing is expanded, no value spans lines, and the last of several assignments to a name holds.
"""

import re

from exai_trio import structs

_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=(.*)", re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'[ \t]*(?:#.*)?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#.*)?')
_BARE_END = re.compile(r"[ \t]+#")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


@structs.frozen(kw_only=True)
class EnvFile:
    """`bad_lines` are numbers, counted from 1, and the name that the line would have set, or "".

    The rest of such a line may hold a secret and is not repeated.
    """

    values: dict[str, str]
    bad_lines: tuple[tuple[int, str], ...] = ()


def parse(text: str) -> EnvFile:
    values: dict[str, str] = {}
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        assigned = _assignment(stripped)
        if assigned is None:
            bad.append((number, _name(stripped)))
        else:
            values[assigned[0]] = assigned[1]
    return EnvFile(values=values, bad_lines=tuple(bad))


def quoted(value: str) -> str:
    """The value as it can stand in such a file."""
    if value and re.fullmatch(r"[A-Za-z0-9_./:,@%+=-]+", value):
        return value
    if not value:
        return ""
    signs = {meant: f"\\{sign}" for sign, meant in _ESCAPED.items() if sign != "$"}
    return '"' + "".join(signs.get(letter, letter) for letter in value) + '"'


def _name(line: str) -> str:
    found = _NAME.fullmatch(line)
    return found[1] if found else ""


def _assignment(line: str) -> tuple[str, str] | None:
    found = _NAME.fullmatch(line)
    if found is None:
        return None
    value = _value(found[2].lstrip(" \t"), found[2])
    return None if value is None else (found[1], value)


def _value(text: str, whole: str) -> str | None:
    """`whole` has the blanks before it: a # behind one begins a comment."""
    if text.startswith("'"):
        single = _SINGLE.fullmatch(text)
        return single and single[1]
    if text.startswith('"'):
        double = _DOUBLE.fullmatch(text)
        return double and _ESCAPE.sub(lambda sign: _ESCAPED.get(sign[1], sign[0]), double[1])
    return _BARE_END.split(whole, maxsplit=1)[0].strip()
