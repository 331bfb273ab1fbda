"""What an answer says of the files that were read for it: those left out as secrets, and those that are not plain UTF-8. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from exai_trio.workspace.path_policy import shown
from exai_trio.workspace.read import Reading
from exai_trio.workspace.secrets import SETTING

_MOST_NAMED = 20


def of(readings: Iterable[Reading]) -> str:
    """One sentence or two, or "" if there is nothing to say."""
    found = tuple(readings)
    secret = [f"{shown(each.path)} ({each.looks_like})" for each in found if each.looks_like]
    odd = [f"{shown(each.path)}: {each.remark}" for each in found if each.remark]
    said: list[str] = []
    if secret:
        said.append(
            f"left out, since they look like secrets ({SETTING} names those that may be sent): {_list(secret)}"
        )
    if odd:
        said.append(_list(odd))
    return "; ".join(said)


def _list(words: list[str]) -> str:
    more = len(words) - _MOST_NAMED
    return ", ".join([*words[:_MOST_NAMED], *([f"and {more:,} more"] if more > 0 else [])])


def added(facts: Mapping[str, Any], notice: str) -> dict[str, Any]:
    """An answer's metadata with a further notice."""
    notices = [facts.get("notice"), notice]
    return {**facts, "notice": "; ".join(filter(None, notices))} if notice else dict(facts)
