"""What every way through a handler does: raise, leave, speak of the fault, or nothing."""

import ast

from auditing.source import last_name, walk_here

LOGGING = {"debug", "info", "warning", "warn", "error", "critical", "exception", "fatal", "log"}
COUNTING = {"inc", "increment", "incr", "count", "tick", "labels"}
EXITS = {"exit", "_exit", "abort", "SystemExit"}


def on_each_path(statements, does):
    """Whether no way through these statements misses what `does` asks of a single one."""
    return any(does(statement) or _all_branches(statement, does) for statement in statements)


def _all_branches(node, does):
    if isinstance(node, ast.If):
        return on_each_path(node.body, does) and on_each_path(node.orelse, does)
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return on_each_path(node.body, does)
    if isinstance(node, (ast.Try, ast.TryStar)):
        handlers = all(on_each_path(handler.body, does) for handler in node.handlers)
        return on_each_path(node.finalbody, does) or (
            handlers and on_each_path([*node.body, *node.orelse], does)
        )
    if isinstance(node, ast.Match):
        total = any(
            isinstance(case.pattern, ast.MatchAs) and not case.pattern.pattern
            for case in node.cases
        )
        return total and all(on_each_path(case.body, does) for case in node.cases)
    return False


def raises(statement):
    """Whether it raises or ends the process."""
    if isinstance(statement, ast.Raise):
        return True
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and last_name(call) in EXITS


def leaves_loop(statement):
    return raises(statement) or isinstance(statement, (ast.Return, ast.Break))


def speaks(name):
    """A test of one statement: whether it raises, logs with the exception called `name`, counts, or hands it on."""

    def does(statement):
        if isinstance(statement, (ast.If, ast.Try, ast.TryStar, ast.Match, ast.For, ast.While)):
            return False
        return raises(statement) or any(_tells(node, name) for node in walk_here([statement]))

    return does


def _tells(node, name):
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Add)
    if isinstance(node, ast.Call):
        return _call_tells(node, name)
    if isinstance(node, (ast.Return, ast.Assign, ast.Yield)) and node.value is not None:
        wasted = isinstance(node, ast.Assign) and last_name(node.targets[0]) == "_"
        return not wasted and mentions([node.value], name)
    return False


def _call_tells(call, name):
    called = last_name(call.func)
    if called in {"print_exc", "print_exception", "format_exc"} or called in COUNTING:
        return True
    if called == "exception" or any(
        word.arg == "exc_info" and not _is_false(word.value) for word in call.keywords
    ):
        return True
    given = [*call.args, *(word.value for word in call.keywords)]
    if called == "print":
        return mentions(given, name) and any(word.arg == "file" for word in call.keywords)
    return called not in {"isinstance", "type", "len", "repr", "str"} and mentions(given, name)


def _is_false(node):
    return isinstance(node, ast.Constant) and not node.value


def mentions(nodes, name):
    return bool(name) and any(
        isinstance(node, ast.Name) and node.id == name for node in walk_here(nodes)
    )


def is_constant(node):
    """Whether a value says nothing of what happened: None, a literal, an empty or constant collection."""
    if node is None or isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand)
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return all(map(is_constant, node.elts))
    if isinstance(node, ast.Dict):
        return all(map(is_constant, node.values))
    plain = {"dict", "list", "set", "frozenset", "tuple", "str", "bytes", "int", "float", "bool"}
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in plain
        and not node.args
        and not node.keywords
    )


def is_empty(statement):
    """Whether one statement of a handler does nothing about the fault."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Return):
        return is_constant(statement.value)
    return isinstance(statement, (ast.Pass, ast.Continue, ast.Break))


def is_quiet(statement):
    """Whether it is empty, gives a name a constant, or only waits."""
    if isinstance(statement, ast.Assign):
        return is_constant(statement.value)
    if isinstance(statement, ast.Expr):
        value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        return isinstance(value, ast.Constant) or last_name(value) in {"sleep", "checkpoint"}
    return is_empty(statement)
