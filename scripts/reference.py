"""The generated pages of docs/reference: settings, tools, errors and the messages of the wire, out of the package itself; and
the table of what became of the older system's settings.

Without arguments it writes them; with --check it names those that are not what they would be, exit 1.
"""

import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
from grafana import dashboard
from msgspec import UnsetType

from exai_trio import errors
from exai_trio.config import Config, ToolProfile
from exai_trio.observability.meters import families as meters
from exai_trio.observability.meters.meter_set import MOST_SERIES
from exai_trio.settings.older_names import ROWS
from exai_trio.settings.printing import text_of
from exai_trio.settings.table import GROUPS
from exai_trio.tools.registry import Registry
from exai_trio.wire import messages, payload_frames
from exai_trio.wire.codec import CLIENT_MESSAGES, DAEMON_MESSAGES

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
WRITTEN = "Written by `scripts/reference.py`; a test holds this page to the package.\n"
OLDER = "../how-to/from-the-older-system.md"  # one of its tables is written, the rest stays
METRICS, GRAFANA = "../metrics.md", "../grafana/exai.json"
OTHER_DEFAULTS = {"EXAI_HOME": "the platform's directory for state"}


def main():
    wanted = {f"{page.__name__}.md": page() for page in (settings, tools, errors_, messages_)}
    wanted = {name.replace("_", ""): text for name, text in wanted.items()} | {
        OLDER: older(),
        METRICS: metrics(),
        GRAFANA: dashboard(),
    }
    if "--check" not in sys.argv:
        for name, text in wanted.items():
            (FOLDER / name).parent.mkdir(exist_ok=True)
            (FOLDER / name).write_text(text, encoding="utf-8")
        return
    stale = [name for name, text in wanted.items() if read(FOLDER / name) != text]
    sys.exit(f"run scripts/reference.py: {', '.join(stale)}" if stale else 0)


def read(path):
    return path.read_text(encoding="utf-8") if path.exists() else None


def row(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def table(*heads):
    return row(*heads) + "|" + "---|" * len(heads) + "\n"


def code(text):
    return f"`{text}`" if text else ""


def metrics():
    """Every family of /metrics."""
    rows = "".join(
        row(code(family.shown), family.kind, ", ".join(family.labels), family.help)
        for family in meters.FAMILIES
    )
    return (
        f"# Metrics\n\n{WRITTEN}\n"
        "What `/metrics` says on MONITORING_PORT and HEALTH_CHECK_PORT, as Prometheus text or, where that is accepted, as OpenMetrics. Times are\n"
        "seconds, sizes bytes. A family that nobody measures has no samples. Label values come from closed sets, anything else is\n"
        f"`{meters.OTHER}`; there are at most {MOST_SERIES:,} samples. Histograms have the bounds {', '.join(f'{bound:g}' for bound in meters.BOUNDS)}.\n"
        "Refused calls are not in `exai_calls_total`. `input` tokens hold the cached ones, `output` tokens those of reasoning, as providers count\n"
        "them.\n\n" + table("name", "kind", "labels", "says") + rows
    )


def older():
    before, head, after = read(FOLDER / OLDER).partition("## Settings\n")
    unchanged, _, rest = after.partition(heads := table("older", "now"))
    rows = "".join(f"| {was} | {now} |\n" for was, now in ROWS)
    return before + head + unchanged + heads + rows + "\n" + rest.partition("\n\n")[2]


def settings():
    parts = [f"# Settings\n\n{WRITTEN}\n", SETTINGS_HEAD]
    defaults = Config()
    for group in GROUPS:
        parts.append(f"\n## {group.title}\n\n" + table("variable", "default", "meaning", "allowed"))
        parts.extend(_setting(setting, defaults) for setting in group.settings)
    return "".join(parts)


SETTINGS_HEAD = """\
Read once at start: the command line, then the environment, then the file that ENV_FILE names, then the default. `exai serve` alone also reads a `.env` of
its working directory, and says so. `exai config` prints what is in force and where it came from; a value that is wrong is answered with what is allowed.
"""


def _setting(setting, defaults):
    default = OTHER_DEFAULTS.get(setting.name) or code(text_of(getattr(defaults, setting.field)))
    also = f" (also {', '.join(map(code, setting.aliases))})" if setting.aliases else ""
    about = setting.about + ("; a secret" if setting.secret else "")
    return row(code(setting.name) + also, default, about, setting.kind.allowed)


def tools():
    listed = {name: _names(name) for name in get_args(ToolProfile)}
    parts = [f"# Tools\n\n{WRITTEN}\n", TOOLS_HEAD]
    for tool in Registry.from_config(Config(tool_profile="full")).listing():
        profiles = [name for name, names in listed.items() if tool["name"] in names]
        parts.append(_tool(tool, profiles))
    return "".join(parts)


TOOLS_HEAD = """\
An argument in bold is needed. TOOL_PROFILE (lean, standard, full) chooses what is listed; what is not listed can be called all the same, unless DISABLED_TOOLS
names it. Unknown arguments are refused by name.
"""


def _names(profile):
    return {tool["name"] for tool in Registry.from_config(Config(tool_profile=profile)).listing()}


def _tool(tool, profiles):
    schema = tool["inputSchema"]
    head = f"\n## {tool['name']}\n\n{tool['description']}\nListed by: {', '.join(profiles)}.\n"
    if not schema["properties"]:
        return head + "No arguments.\n"
    needed = set(schema.get("required", ()))
    rows = [
        row(f"**{name}**" if name in needed else name, _kind(part), part.get("description", ""))
        for name, part in schema["properties"].items()
    ]
    return head + "\n" + table("argument", "type", "meaning") + "".join(rows)


def _kind(part):
    """A JSON Schema in a few words."""
    if "anyOf" in part:
        return " or ".join(map(_kind, part["anyOf"]))
    words = " / ".join(part["enum"]) if "enum" in part else str(part.get("type", "any"))
    if part.get("type") == "array":
        words = f"array of {_kind(part.get('items', {}))}"
    bounds = [f"{sign} {part[key]}" for key, sign in BOUNDS.items() if key in part]
    default = [f"default {text_of(part['default'])}"] if "default" in part else []
    return ", ".join([words, *bounds, *default])


BOUNDS = {"minimum": "≥", "maximum": "≤", "maxItems": "at most"}


def errors_():
    kinds = [kind for kind in vars(errors).values() if _is_error(kind)]
    parts = [f"# Errors\n\n{WRITTEN}\n", ERRORS_HEAD]
    parts.append(table("code", "category", "again?", "what happened"))
    rows = sorted({(kind.code, kind.category, kind.retryable, _said(kind)) for kind in kinds})
    parts.extend(
        row(code(one), two, "may help" if again else "no", said) for one, two, again, said in rows
    )
    return "".join(parts)


ERRORS_HEAD = """\
A failure is `{code, message, category, retryable, correlation_id, retry_after_s?, details?}`; its message says what to do next. `correlation_id` is the id
under which `logs/ws_daemon.log` knows it. What to do about single messages: [troubleshooting](../how-to/troubleshooting.md).

"""


def _is_error(kind):
    return (
        isinstance(kind, type)
        and issubclass(kind, errors.ExaiError)
        and kind is not errors.ExaiError
    )


def _said(kind):
    return (kind.__doc__ or "").strip().partition("\n")[0]


def messages_():
    parts = [f"# Messages of the wire\n\n{WRITTEN}\n", MESSAGES_HEAD, "\n## Client to daemon\n"]
    ops = {op: kind for op, kind in CLIENT_MESSAGES.items() if op != "tool_call"}
    parts.extend(_message(op, kind) for op, kind in ops.items())
    parts.append("\n## Daemon to client\n")
    parts.extend(_message(op, kind) for op, kind in DAEMON_MESSAGES.items())
    parts.append(_message("call_tool_res, ok true", messages.CallResult))
    parts.append(_message("call_tool_res, ok false", messages.CallFailed))
    parts.append(_message("payload (a binary frame)", payload_frames.Payload))
    parts.append("\n## Parts\n")
    parts.extend(
        _message(kind.__name__, kind)
        for kind in (
            messages.Fault,
            messages.Output,
            messages.ServerFacts,
            payload_frames.PayloadRef,
        )
    )
    return "".join(parts)


MESSAGES_HEAD = """\
One JSON object in each text frame; `op` names the message, unknown fields are ignored. A field in bold is always there, and must be sent. Numbered frames of the
daemon also have `seq`. A request id is a whole number, or text of 1 to 512 characters. How they follow each other: [protocol](protocol.md).
"""


def _message(op, kind):
    said = f"\n{_doc(kind)}\n" if _doc(kind) else ""
    head = f"\n### {op}\n{said}\n"
    hints = get_type_hints(kind, include_extras=True)
    fields = [field for field in attrs.fields(kind) if field.name != "op"]
    if not fields:
        return head + "No fields.\n"
    rows = [_field(field, hints[field.name]) for field in fields]
    return head + table("field", "type", "default") + "".join(rows)


def _doc(kind):
    doc = kind.__doc__ or ""
    return "" if "Method generated" in doc else " ".join(doc.split())


def _field(field, hint):
    needed = field.default is attrs.NOTHING
    shown = "" if needed or isinstance(field.default, attrs.Factory) else _default(field.default)
    typed = _typed(hint).replace(REQUEST_ID, "request id")
    return row(f"**{field.name}**" if needed else field.name, typed, shown)


def _default(value):
    return "" if value is None or isinstance(value, UnsetType) else code(text_of(value))


def _typed(hint):
    """A type as a reader of JSON names it; what may be left out is told by the default."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _typed(inner[0]) + "".join(_bound(meta) for meta in inner[1:])
    if origin in {Union, types.UnionType}:
        kinds = [_typed(one) for one in inner if one not in {type(None), UnsetType}]
        return " or ".join(dict.fromkeys(kinds))
    if origin is list:
        return f"array of {_typed(inner[0])}"
    if origin is Literal:
        return " or ".join(code(text_of(one)) for one in inner)
    return NAMES.get(origin or hint, getattr(hint, "__name__", str(hint)))


NAMES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dict: "object",
}
LIMITS = {"gt": "> {}", "ge": "≥ {}", "min_length": "not empty", "max_length": "at most {} long"}


def _bound(meta):
    found = [
        words.format(getattr(meta, name))
        for name, words in LIMITS.items()
        if getattr(meta, name) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


REQUEST_ID = _typed(messages.RequestId)


if __name__ == "__main__":
    main()
