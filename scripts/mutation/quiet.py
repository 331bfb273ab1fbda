"""Parts of a syntax tree that promise nothing: annotations, decorators, logs, texts, `__repr__`, what only type checkers read. Pure."""

import ast

_SPEAKS = ("log", "_log", "logging", "warnings")
_TYPES_ONLY = (
    "cast",
    "TypeVar",
    "overload",
)  # what they are given does nothing when the program runs
_CHECKPOINTS = (
    "trio.lowlevel.checkpoint",
    "checkpoint",
)  # whether a task lets others run is Trio's
_HINTS = ("reason", "retry_after_s")  # what is said of an end, or of a try again


def quiet_nodes(tree: ast.Module) -> set[int]:
    """The ids of all nodes in quiet parts."""
    quiet: set[int] = set()
    for node in ast.walk(tree):
        for part in _quiet_parts(node):
            quiet.update(id(inner) for inner in ast.walk(part))
    return quiet


def _quiet_parts(node: ast.AST) -> list[ast.AST]:
    quiet: list[ast.AST | None] = []
    match node:
        case ast.FunctionDef(name="__repr__" | "__str__"):
            quiet = [node]
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Assert():
            quiet = [node]
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            quiet = [node]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            quiet = [node] if _says_only(node) else [*node.decorator_list, node.returns]
        case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
            quiet = [annotation]
        case ast.Call():
            quiet = _of_call(node)
        case ast.ClassDef():
            quiet = [*node.decorator_list, *node.keywords, *_figures(node.body)]
        case ast.Module():
            quiet = [*_figures(node.body)]
        case _:
            pass
    return [part for part in quiet if part is not None]


def _of_call(node: ast.Call) -> list[ast.AST | None]:
    name = ast.unparse(node.func)
    if name.split(".")[0] in _SPEAKS or name in _CHECKPOINTS or name == "round":
        return [node]
    hints = [part.value for part in node.keywords if part.arg in _HINTS]
    if hints:
        return [*hints]
    return [node.args[0]] if name in _TYPES_ONLY and node.args else []


def _figures(body: list[ast.stmt]) -> list[ast.AST | None]:
    """Values of constants, which benchmarks judge."""
    return [part.value for part in body if isinstance(part, ast.Assign | ast.AnnAssign)]


def says_nothing(statement: ast.Expr) -> bool:
    """It is a log's line, or a checkpoint."""
    value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    if not isinstance(value, ast.Call):
        return True
    name = ast.unparse(value.func)
    return name.split(".")[0] in _SPEAKS or name in _CHECKPOINTS


def _says_only(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """It is a line of a Protocol: a docstring or an ellipsis, and no more."""
    return all(
        isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
        for part in function.body
    )
