"""Whether a handler says that all went well."""

import ast

from auditing.paths_of_handlers import raises
from auditing.source import last_name, walk_here

GOOD = {
    "ok",
    "success",
    "succeeded",
    "successful",
    "completed",
    "complete",
    "done",
    "passed",
    "healthy",
    "up",
    "ready",
}
STATES = {"status", "state", "outcome", "result", "verdict", "health"}
YES = {
    "ok",
    "success",
    "succeeded",
    "successful",
    "passed",
    "healthy",
    "valid",
    "is_valid",
    "done",
    "completed",
    "sent",
    "saved",
    "delivered",
}
NO = {"is_error", "iserror", "failed", "error", "has_error"}
CODES = {"code", "exit_code", "returncode", "exit_status", "status_code", "rc"}


def claims_success(handler):
    """What a handler says that only a success would, in words for the message; else nothing."""
    for node in walk_here(handler.body):
        if isinstance(node, ast.Return) and _good(node.value):
            return f"returns {ast.unparse(node.value)}"
        if raises(node) and _exits_well(node):
            return "ends the process with success"
        if isinstance(node, ast.Assign) and any(_pair(t, node.value) for t in node.targets):
            return f"says {ast.unparse(node)}"
        if isinstance(node, (ast.Dict, ast.Call)) and (claim := _inside(node)):
            return f"says {claim}"
    return ""


def _good(value):
    if isinstance(value, ast.Constant):
        return value.value is True or _is_good(value)
    if isinstance(value, ast.Tuple) and value.elts:
        return _good(value.elts[0])
    return isinstance(value, ast.Attribute) and value.attr.lower() in GOOD


def _is_good(value):
    if isinstance(value, ast.Attribute):
        return value.attr.lower() in GOOD
    return isinstance(value, ast.Constant) and str(value.value).lower() in GOOD


def _exits_well(node):
    call = node.exc if isinstance(node, ast.Raise) else node.value
    if isinstance(call, ast.Name) and call.id == "SystemExit":
        return True
    if not isinstance(call, ast.Call) or last_name(call) not in {"exit", "_exit", "SystemExit"}:
        return False
    return not call.args or getattr(call.args[0], "value", 1) in {0, None}


def _pair(key, value):
    """Whether `key = value` is what a success says."""
    name = str(key.value) if isinstance(key, ast.Constant) else last_name(key)
    if isinstance(key, ast.Subscript) and isinstance(key.slice, ast.Constant):
        name = str(key.slice.value)
    return _says(name.lower().lstrip("_"), value)


def _says(name, value):
    plain = value.value if isinstance(value, ast.Constant) else None
    if name in STATES:
        return _is_good(value)
    if name in CODES:
        return plain == 200 or (plain == 0 and plain is not False)
    return (name in YES and plain is True) or (
        name in NO and plain is False and isinstance(value, ast.Constant)
    )


def _inside(node):
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return next((ast.unparse(k) for k, v in pairs if k is not None and _pair(k, v)), "")
    answers = last_name(node.func).lower().endswith(("response", "reply", "answer"))
    if answers and any(getattr(given, "value", 0) == 200 for given in node.args):
        return ast.unparse(node)
    words = (word for word in node.keywords if word.arg)
    return next((ast.unparse(w) for w in words if _says(w.arg.lower(), w.value)), "")
