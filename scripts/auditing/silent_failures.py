"""Faults that nobody hears of: the rules about handlers, `suppress`, `finally`, loops and tasks."""

import ast

from auditing.paths_of_handlers import (
    is_empty,
    is_quiet,
    leaves_loop,
    on_each_path,
    raises,
    speaks,
)
from auditing.source import SCOPES, last_name, walk_here
from auditing.successes import claims_success

BROAD = {"Exception", "BaseException", "ExceptionGroup", "BaseExceptionGroup"}
EVERYTHING = {"BaseException", "BaseExceptionGroup"}
LOOPS = (ast.For, ast.AsyncFor, ast.While)


def find(source):
    """Line, rule and message of each finding in one file."""
    named = _named_tuples(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Try, ast.TryStar)):
            yield from _in_try(source, node, named)
            yield from _in_finally(node)
        elif isinstance(node, ast.Call) and last_name(node.func) == "suppress":
            yield from _suppressed(node, named)
        elif isinstance(node, ast.Expr):
            yield from _outcome(node)


def _named_tuples(tree):
    """The exceptions that stand behind a name of the module: `_GONE = (OSError, EOFError)`."""
    return {
        node.targets[0].id if isinstance(node, ast.Assign) else node.target.id: node.value
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and isinstance(node.value, (ast.Tuple, ast.Name, ast.Attribute))
        and isinstance(node.targets[0] if isinstance(node, ast.Assign) else node.target, ast.Name)
    }


def _caught(node, named):
    """Names of the exceptions in an `except` or a `suppress`; a bare one is all of them."""
    if node is None:
        return {"BaseException"}
    if isinstance(node, ast.Starred):
        return _caught(node.value, named)
    if isinstance(node, ast.Name) and node.id in named:
        return _caught(named[node.id], {})
    if isinstance(node, ast.Tuple):
        return {name for part in node.elts for name in _caught(part, named)}
    return {last_name(node)}


def _in_try(source, node, named):
    cancels = False
    for handler in node.handlers:
        caught = _caught(handler.type, named)
        found = _first_fault(source, node, handler, caught, cancels)
        if found:
            yield handler.lineno, *found
        cancels = cancels or "Cancelled" in caught


def _first_fault(source, attempt, handler, caught, cancels):
    """Rule and message of the gravest thing a handler does, or nothing."""
    swallows = "Cancelled" in caught or (caught & EVERYTHING and not cancels)
    if swallows and not on_each_path(handler.body, raises):
        return "swallowed-cancel", f"{_shown(caught)} is caught and not raised again"
    if claim := claims_success(handler):
        return "fault-as-success", f"after {_shown(caught)} this {claim}"
    silent = not on_each_path(handler.body, speaks(handler.name))
    if silent and _goes_on(source, attempt, handler):
        return "silent-loop", f"after {_shown(caught)} the loop goes on, and nobody hears how often"
    if silent and caught & BROAD:
        return (
            "broad-handler",
            f"{_shown(caught)} is neither raised, nor logged with it, nor counted",
        )
    if all(map(is_empty, handler.body)):
        return "empty-handler", f"{_shown(caught)} is answered with a constant, or with nothing"
    return None


def _shown(caught):
    return ", ".join(sorted(caught))


def _goes_on(source, attempt, handler):
    """Whether the innermost loop, in the same function, goes on after a handler that only waits or passes."""
    for above in source.above(attempt):
        if isinstance(above, SCOPES):
            return False
        if isinstance(above, LOOPS):
            stays = not on_each_path(handler.body, leaves_loop)
            ends_after = not any(isinstance(last, ast.Continue) for last in handler.body) and (
                above.body[-1] is not attempt and leaves_loop(above.body[-1])
            )
            silent = isinstance(above, ast.While) or all(map(is_quiet, handler.body))
            return stays and not ends_after and silent
    return False


def _suppressed(call, named):
    caught = {name for part in call.args for name in _caught(part, named)}
    if caught & {"Cancelled", *EVERYTHING}:
        yield call.lineno, "swallowed-cancel", f"{_shown(caught)} is suppressed"
    elif caught:
        broad = " and everything below it" if caught & {*BROAD, "OSError"} else ""
        yield call.lineno, "suppress", f"{_shown(caught)}{broad} is suppressed"


def _in_finally(node):
    inner = {
        below
        for loop in walk_here(node.finalbody)
        if isinstance(loop, LOOPS)
        for below in walk_here(loop.body)
    }
    for below in walk_here(node.finalbody):
        jumps = isinstance(below, (ast.Break, ast.Continue)) and below not in inner
        if jumps or isinstance(below, ast.Return):
            word = type(below).__name__.lower()
            yield below.lineno, "finally-jump", f"`{word}` in `finally` drops the fault on its way"


_LOST = {
    "create_task": "a task is made and not kept",
    "ensure_future": "a task is made and not kept",
    "run_coroutine_threadsafe": "the future is not looked at",
    "call_soon_threadsafe": "what it raises is nobody's",
    "spawn_system_task": "a system task belongs to no nursery",
    "submit": "the future is not looked at",
    "apply_async": "the result is not looked at",
    "map_async": "the result is not looked at",
    "capture": "the outcome is not looked at",
    "acapture": "the outcome is not looked at",
    "Popen": "the process is not waited for",
    "Process": "the exit code is not looked at",
    "start_new_thread": "what the thread raises is nobody's",
    "Thread": "what the thread raises is nobody's",
    "Timer": "what the thread raises is nobody's",
}


def _outcome(statement):
    """Calls that stand alone, though what they give back is the only word of a failure."""
    call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    if not isinstance(call, ast.Call):
        return
    called = last_name(call.func)
    if called == "start" and isinstance(call.func, ast.Attribute):
        called = last_name(call.func.value) if isinstance(call.func.value, ast.Call) else ""
    words = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
    if called in _LOST:
        yield statement.lineno, "lost-outcome", _LOST[called]
    elif called == "gather" and words.get("return_exceptions"):
        yield statement.lineno, "lost-outcome", "what the tasks raised is not looked at"
    elif _drops_exit_code(call, words):
        yield statement.lineno, "lost-outcome", "the exit code is not looked at"


def _drops_exit_code(call, words):
    called = last_name(call.func)
    if called == "run_process":
        return words.get("check", True) is not True
    by = last_name(getattr(call.func, "value", None))
    return (by, called) in {("subprocess", "call"), ("os", "system")} or (
        (by, called) == ("subprocess", "run") and words.get("check") is not True
    )
