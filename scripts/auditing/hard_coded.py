"""Configuration that is written where it is used: ports, hosts, addresses, paths, models, durations and limits."""

import ast
import re

from auditing.source import last_name

HOMES = re.compile(r"(^|/)(settings/|config\.py$|catalogue\.py$)")
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
PORT = re.compile(r"(^|_)ports?$", re.IGNORECASE)
DURATION = re.compile(
    r"(^|_)(time_?outs?|deadline|delays?|interval|grace|ttl|expir\w*|duration|hours|minutes|seconds|secs|sec|wait|backoff|period|keepalive"
    r"|heartbeat|sleep|max_age|s|ms)$|^(timeout|delay|interval|wait|grace|ttl)_",
    re.IGNORECASE,
)
LIMIT = re.compile(
    r"^(max|min|most|least|limit)_|(^|_)(limits?|capacity|retries|attempts|workers|connections|backlog|concurrency|parallel"
    r"|maxlen|maxsize|max_size|pool_size|buffer_size|chunk_size|batch_size|queue_size|page_size|bytes|quota|threshold|max|burst)$",
    re.IGNORECASE,
)
WAITS = {
    "sleep",
    "move_on_after",
    "fail_after",
    "wait_for",
    "join",
    "settimeout",
    "Timeout",
    "wait",
    "setdefaulttimeout",
    "alarm",
}
LEAST_PORT = 20  # what is less is a backlog, or a count
CLOCKS = {"current_time", "monotonic", "perf_counter", "time"}
PEERS = {
    "serve_tcp",
    "open_tcp_stream",
    "open_tcp_listeners",
    "listen",
    "connect",
    "start_server",
    "open_connection",
}
HOLDS = {
    "CapacityLimiter",
    "Semaphore",
    "BoundedSemaphore",
    "open_memory_channel",
    "receive_some",
    "recv",
    "Queue",
    "LifoQueue",
    "ThreadPoolExecutor",
    "ProcessPoolExecutor",
}
URL = re.compile(
    r"\b(https?|wss?|postgres(ql)?(\+\w+)?|redis|mongodb|amqps?|ftp|mysql|s3)://[^\s{/<\"'()|\[]"
)
HOST = re.compile(
    r"(\d{1,3}\.){3}\d{1,3}(:\d+)?|::1?|(localhost|([\w-]+\.)+(com|org|net|io|ai|cn|dev|co|app|cloud|internal|local|example))(:\d+)?"
)
PATH = re.compile(
    r"/(etc|var|tmp|usr|home|opt|root|mnt|srv|data|proc|sys|run|bin|app|Users|Library)(/\S*)?|~/\S*|[A-Z]:[\\/]\S*"
)
MODEL = re.compile(
    r"(\w+/)?(glm|kimi|gpt|chatgpt|claude|gemini|gemma|moonshot|deepseek|qwen\d?|llama|mistral|mixtral|grok|codestral|command|phi"
    r"|text-embedding|o[134])([-:.]?[\w.:-]*\d[\w.:-]*|-latest)",
    re.IGNORECASE,
)
VERSION = re.compile(r"\d+(\.\d+){3}")


def find(source):
    """Line, rule and message of each finding in one file; settings and catalogue are where such things belong."""
    if HOMES.search(source.shown):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _text(source, node)
        elif (
            isinstance(node, ast.Call) and last_name(node.func) != "Meta"
        ):  # a schema, not a place of use
            yield from _unless_named(source, node, _call(node))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            yield from _assigned(source, node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _defaults(node.args)
        elif isinstance(node, ast.BinOp):
            yield from _from_now(node)
        elif isinstance(node, ast.Tuple):
            yield from _unless_named(source, node, _address(node))
        elif isinstance(node, ast.Dict):
            yield from _unless_named(source, node, _pairs(node))


def _unless_named(source, node, found):
    """These findings, but for durations and limits inside a constant that has a name."""
    named = _constant_around(source, node)
    for line, rule, message in found:
        if named is None or rule == "port":
            yield line, rule, message


def _constant_around(source, node):
    """The assignment to a constant of the module or a class that a node stands in, if any."""
    for up in source.above(node):
        if isinstance(up, (ast.Assign, ast.AnnAssign)):
            outside = isinstance(source.parents[up], (ast.Module, ast.ClassDef))
            return up if outside and CONSTANT.fullmatch(_name(up)) else None
    return None


def _text(source, node):
    """A text that is an address, a host, a path or a model, and stands in no named constant with its reason."""
    if node in source.docstrings or not (rule := _kind(node.value)):
        return
    if named := _constant_around(source, node):
        if not source.has_reason(named):
            yield (
                named.lineno,
                "no-reason",
                f"{_name(named)}: a constant that holds a {rule} has no reason beside it",
            )
        return
    yield node.lineno, rule, f"{node.value!r} belongs into settings, or a constant with its reason"


def _kind(text):
    if re.search(r"\s", text):
        return ""  # for people
    for rule, pattern in (
        ("url", URL.search),
        ("path", PATH.fullmatch),
        ("model", MODEL.fullmatch),
    ):
        if pattern(text):
            return rule
    return "host" if HOST.fullmatch(text) and text != "::" else ""


def _name(assignment):
    target = assignment.targets[0] if isinstance(assignment, ast.Assign) else assignment.target
    return last_name(target)


def number(node):
    """The value of a number, of a sum of numbers, of a cap by `min`, or of a field's default; else nothing."""
    if isinstance(node, ast.Call) and (inner := _caps(node)):
        return next(filter(None, map(number, inner)), None)
    try:
        value = ast.literal_eval(node)
    except ValueError:
        if not isinstance(node, ast.BinOp):
            return None
        sides = number(node.left), number(node.right)
        return None if None in sides else (sides[0] or 0) + (sides[1] or 0) or 1
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _caps(call):
    if last_name(call.func) == "min":
        return call.args
    if last_name(call.func) in {"field", "attrib", "ib"}:
        return [word.value for word in call.keywords if word.arg == "default"]
    return []


def _named_number(name, node):
    """The rule against a number under this name, if it is one."""
    value = number(node)
    if not value or value < 0:
        return ""
    if PORT.search(name):
        return "port"
    if DURATION.search(name):
        return "duration"
    return "limit" if LIMIT.search(name) and value != 1 else ""


def _call(call):
    called = last_name(call.func)
    given = [*call.args, *(word.value for word in call.keywords if word.arg == "total_tokens")]
    first = number(given[0]) if given else None
    if called in WAITS and len(call.args) == (2 if called == "wait_for" else 1):
        first = number(call.args[-1])
        if first:
            yield (
                call.lineno,
                "duration",
                f"{called}({first}): the duration belongs into settings or a constant",
            )
    elif called in HOLDS and first and first > 1:
        yield (
            call.lineno,
            "limit",
            f"{called}({first}): the limit belongs into settings or a constant",
        )
    elif called in {"getattr", "get", "pop", "setdefault"}:
        yield from _with_default(call)
    for port in map(number, call.args if called in PEERS else ()):
        if port and port >= LEAST_PORT:
            yield call.lineno, "port", f"{called}: the port {port} belongs into settings"
    for word in call.keywords:
        if word.arg and (rule := _named_number(word.arg, word.value)):
            yield (
                word.value.lineno,
                rule,
                f"{ast.unparse(word)} belongs into settings or a constant",
            )


def _from_now(node):
    """`trio.current_time() + 5`."""
    asked = isinstance(node.left, ast.Call) and last_name(node.left) in CLOCKS
    if asked and number(node.right) and isinstance(node.op, ast.Add):
        yield node.lineno, "duration", f"{ast.unparse(node)}: the duration belongs into settings"


def _with_default(call):
    """`options.get("timeout", 30)`."""
    texts = [
        arg.value
        for arg in call.args
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
    ]
    if texts and len(call.args) > 1 and (rule := _named_number(texts[0].lower(), call.args[-1])):
        yield call.lineno, rule, f"{ast.unparse(call)}: the default belongs into settings"


def _assigned(source, node):
    name = _name(node)
    rule = _named_number(name, node.value)
    if not rule or (CONSTANT.fullmatch(name) and rule != "port"):
        return
    if not CONSTANT.fullmatch(name):
        if isinstance(source.parents[node], ast.ClassDef) and source.has_reason(node):
            return
        yield (
            node.lineno,
            rule,
            f"{name} = {ast.unparse(node.value)} belongs into settings or a constant",
        )
    elif not source.has_reason(node):
        yield node.lineno, "no-reason", f"{name}: the port has no reason beside it"


def _defaults(arguments):
    named = [*arguments.posonlyargs, *arguments.args][
        -len(arguments.defaults) or len(arguments.args) + 9 :
    ]
    pairs = [
        *zip(named, arguments.defaults, strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None and (rule := _named_number(argument.arg, default)):
            yield (
                default.lineno,
                rule,
                f"{argument.arg} = {ast.unparse(default)} belongs into settings or a constant",
            )


def _address(node):
    """A port beside a host: `("127.0.0.1", 8079)`."""
    if len(node.elts) == 2 and isinstance(node.elts[0], ast.Constant):
        host, port = node.elts[0].value, number(node.elts[1])
        if isinstance(host, str) and HOST.fullmatch(host) and port:
            yield node.lineno, "port", f"{ast.unparse(node)}: the port belongs into settings"


def _pairs(node):
    for key, value in zip(node.keys, node.values, strict=True):
        name = key.value if isinstance(key, ast.Constant) else None
        if isinstance(name, str) and (rule := _named_number(name, value)):
            yield (
                value.lineno,
                rule,
                f"{ast.unparse(key)}: {ast.unparse(value)} belongs into settings or a constant",
            )
