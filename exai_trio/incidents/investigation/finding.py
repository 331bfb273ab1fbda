"""What a model said of an incident, as far as it is an answer: every field looked at, what rests on nothing marked. Pure: no trio, no clock, no I/O."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, cast

from exai_trio import structs
from exai_trio.providers.answers.json_in_prose import objects_in

_LONGEST: Final = 2_000
_MOST_STEPS: Final = 12
_LONGEST_PATCH: Final = 8_000
_UNSURE: Final = 0.0
_WORDS: Final = {"low": 0.25, "medium": 0.5, "high": 0.8}
_PATCHED: Final = re.compile(r"^(?:\+\+\+|---) (?:[ab]/)?([^\t\n]+)", re.MULTILINE)


@structs.frozen(kw_only=True)
class Answered:
    """`result` and `fix` as they are kept."""

    result: dict[str, Any]
    fix: dict[str, Any]


def answered(
    text: str, evidence: Collection[str], is_file: Callable[[str], bool]
) -> Answered | None:
    """None for what is no answer. Ids that were not given are struck out; an answer that rests on none is ungrounded; a patch for a file
    that is not ours is left out."""
    told = next((each for each in objects_in(text) if _text(each.get("root_cause"))), None)
    if told is None:
        return None
    named = [str(each) for each in _list(told.get("evidence"))]
    kept = [each for each in dict.fromkeys(named) if each in evidence]
    result = {
        "root_cause": _text(told.get("root_cause")),
        "confidence": _confidence(told.get("confidence")),
        "evidence": kept,
        "struck_out": sum(each not in evidence for each in named),
        "grounded": bool(kept),
    }
    return Answered(result=result, fix=_fix(told.get("fix"), is_file))


def _fix(told: object, is_file: Callable[[str], bool]) -> dict[str, Any]:
    fix = cast("Mapping[str, object]", told) if isinstance(told, dict) else {"summary": told}
    complexity = str(fix.get("complexity", "")).lower()
    kept: dict[str, Any] = {
        "summary": _text(fix.get("summary")),
        "steps": [_text(step) for step in _list(fix.get("steps"))[:_MOST_STEPS] if _text(step)],
        "complexity": complexity if complexity in _WORDS else None,
    }
    patch = fix.get("patch")
    if isinstance(patch, str) and patch.strip():
        files = {name.strip() for name in _PATCHED.findall(patch)} - {"/dev/null"}
        if files and all(map(is_file, files)) and len(patch) <= _LONGEST_PATCH:
            kept["patch"] = patch
        else:
            kept["patch_left_out"] = "it is for a file that is not there, or is no patch"
    return kept


def _confidence(told: object) -> float:
    """From 0 to 1; a word, or percents, for what they mean."""
    if isinstance(told, str):
        word = told.strip().lower()
        number = re.match(r"\d+(?:\.\d+)?", word)
        told = _WORDS.get(word, float(number.group()) if number else _UNSURE)
    if isinstance(told, bool) or not isinstance(told, int | float) or not told >= 0:
        return _UNSURE
    value = told / 100 if told > 1 else told
    return round(min(1.0, value), 3)


def _text(told: object) -> str:
    return " ".join(told.split())[:_LONGEST] if isinstance(told, str) else ""


def _list(told: object) -> list[Any]:
    return told if isinstance(told, list) else []
