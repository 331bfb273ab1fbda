"""What `exai status` says of a daemon's health in a few lines; `--all` prints everything. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

MOST_LINES: Final = 12
_FIXED: Final = 7  # lines beside the providers and the troubles
Row = tuple[str, str]


def summary(url: str, facts: Mapping[str, Any]) -> list[Row]:
    """At most a dozen names and what there is to say of each."""
    troubles = _list(facts.get("troubles"))
    room = MOST_LINES - _FIXED - max(1, min(len(troubles), 2))
    return [
        ("daemon", f"{facts.get('status', '?')}, {facts.get('version', '?')}, at {url}"),
        ("running", f"for {facts.get('uptime_human', '?')}, process {facts.get('pid', '?')}"),
        (
            "clients",
            f"{facts.get('sessions', 0)} sessions, {facts.get('connections', 0)} connected",
        ),
        ("calls", _calls(_facts(facts.get("calls")))),
        ("places", _places(_facts(facts.get("permits")))),
        *_providers(facts, room),
        ("tools", f"{facts.get('tool_count', '?')} offered"),
        ("storage", _storage(_facts(facts.get("storage")))),
        *_troubles(troubles),
    ]


def _facts(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return list(cast("list[object]", value)) if isinstance(value, list) else []


def _calls(calls: Mapping[str, Any]) -> str:
    shown = ("running", "finished", "failed", "timed_out", "cancelled", "refused")
    parts = [f"{calls[name]} {name.replace('_', ' ')}" for name in shown if name in calls]
    return ", ".join(part for part in parts if not part.startswith("0 ") or "running" in part)


def _places(permits: Mapping[str, Any]) -> str:
    found = _facts(permits.get("global"))
    return f"{found.get('current', '?')} of {found.get('expected', '?')} free, {found.get('waiting', 0)} waiting"


def _providers(facts: Mapping[str, Any], room: int) -> Iterator[Row]:
    found = [_facts(each) for each in _list(facts.get("providers"))]
    ready = [each for each in found if each.get("configured")]
    if not ready:
        yield (
            "models",
            "none: no provider is configured, and every question fails; see `exai doctor`",
        )
        return
    shown = ready if len(ready) <= room else ready[: room - 1]
    for each in shown:
        yield str(each.get("name", "?")), _provider(each)
    if len(ready) > len(shown):
        names = ", ".join(str(each.get("name", "?")) for each in ready[len(shown) :])
        yield "and", names


def _provider(facts: Mapping[str, Any]) -> str:
    models = len(_list(facts.get("models")))
    parts = ["simulated" if facts.get("simulated") else "ready", f"{models} models"]
    breakers = _facts(facts.get("breakers"))
    parts += [f"{name} {state}" for name, state in breakers.items()]
    return ", ".join(parts)


def _storage(storage: Mapping[str, Any]) -> str:
    if storage.get("disk_full"):
        return "the disk is full: new calls are refused"
    return str(storage.get("fault") or f"good, durability {storage.get('durability', '?')}")


def _troubles(troubles: list[Any]) -> Iterator[Row]:
    if not troubles:
        yield "troubles", "none"
    elif len(troubles) <= 2:  # noqa: PLR2004  # as there is room
        yield from (("trouble", str(each)) for each in troubles)
    else:
        yield "trouble", str(troubles[0])
        yield "trouble", f"and {len(troubles) - 1} more: `exai status --all`"
