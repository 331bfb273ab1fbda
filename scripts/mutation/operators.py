"""Small changes to a syntax tree, each of which a test should notice. Pure."""

import ast
import copy
from collections.abc import Callable, Iterator

import attrs

from .quiet import quiet_nodes, says_nothing

Change = tuple[str, ast.AST | None]  # what it does, and the node instead; None: nothing instead

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@attrs.frozen
class Mutant:
    """`number` is the node's in `ast.walk`, `choice` the change's among that node's. `text` is the line as it was, `first` the
    line on which its statement begins, `where` the class and function it stands in."""

    path: str
    where: str
    first: int
    line: int
    number: int
    choice: int
    what: str
    text: str

    @property
    def key(self) -> str:
        """Names it in the list of survivors that are explained: without line numbers, which move."""
        place = f"{self.path} {self.where}".rstrip()
        return f"{place}: {self.text.strip()} [{self.what}]"


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """All changes to that module, in the order of its syntax tree."""
    tree, lines = ast.parse(source), source.split("\n")
    quiet, places = quiet_nodes(tree), _places(tree)
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in quiet:
            where, first = places.get(id(node), ("", 0))
            line = getattr(node, "lineno", 0)
            for choice, (what, _) in enumerate(_changes(node)):
                yield Mutant(path, where, first, line, number, choice, what, lines[line - 1])


def _places(tree: ast.Module) -> dict[int, tuple[str, int]]:
    """Of each node's id: the names of what it stands in, and the first line of its statement."""
    places: dict[int, tuple[str, int]] = {}

    def note(node: ast.AST, where: str, first: int) -> None:
        places[id(node)] = where, first
        inside = where
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{where}.{node.name}".lstrip(".")
        for child in ast.iter_child_nodes(node):
            begins = child.lineno if isinstance(child, ast.stmt) else _runs_at(node, first)
            note(child, inside, begins)

    note(tree, "", 0)
    return places


def _runs_at(node: ast.AST, first: int) -> int:
    """Where something inside this node, and of its statement, runs: a default when its function does."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.body[min(1, len(node.body) - 1)].lineno
    return first


def planted(source: str, mutant: Mutant) -> ast.Module:
    """The module with that change."""
    tree = ast.parse(source)
    node = next(node for number, node in enumerate(ast.walk(tree)) if number == mutant.number)
    _, instead = list(_changes(node))[mutant.choice]
    if isinstance(node, ast.stmt) and instead is None:
        instead = ast.Pass()
    assert instead is not None
    _Replace(node, ast.copy_location(instead, node)).visit(tree)
    return ast.fix_missing_locations(tree)


class _Replace(ast.NodeTransformer):
    def __init__(self, node: ast.AST, instead: ast.AST) -> None:
        self._node, self._instead = node, instead

    def visit(self, node: ast.AST) -> ast.AST:
        return self._instead if node is self._node else self.generic_visit(node)


def _changes(node: ast.AST) -> Iterator[Change]:
    changes = _BY_TYPE.get(type(node))
    return changes(node) if changes else iter(())


def _compare(node: ast.Compare) -> Iterator[Change]:
    if (opposite := _OPPOSITES.get(type(node.ops[0]))) is not None:
        instead = copy.deepcopy(node)
        instead.ops[0] = opposite()
        yield f"{ast.unparse(instead)}", instead


def _bool_op(node: ast.BoolOp) -> Iterator[Change]:
    instead = copy.deepcopy(node)
    instead.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield ast.unparse(instead), instead


def _not(node: ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Not):
        yield ast.unparse(node.operand), copy.deepcopy(node.operand)


def _constant(node: ast.Constant) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield f"{not node.value}", ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield f"{node.value + 1}", ast.Constant(node.value + 1)


def _bin_op(node: ast.BinOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Add | ast.Sub):
        instead = copy.deepcopy(node)
        instead.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield ast.unparse(instead), instead


def _branch(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    if not isinstance(
        node.test, ast.Compare | ast.UnaryOp | ast.Constant
    ):  # these change by themselves
        instead = copy.deepcopy(node)
        instead.test = ast.UnaryOp(ast.Not(), instead.test)
        yield f"if not ({ast.unparse(node.test)})", instead


def _statement(node: ast.Expr) -> Iterator[Change]:
    if not says_nothing(node):
        yield "left out", None


def _assignment(node: ast.Assign | ast.AugAssign) -> Iterator[Change]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if all(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
        yield "left out", None


def _return(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not (
        isinstance(node.value, ast.Constant) and node.value.value is None
    ):
        yield "return None", ast.Return(ast.Constant(None))


def _loop_end(node: ast.Break | ast.Continue) -> Iterator[Change]:
    instead = ast.Continue() if isinstance(node, ast.Break) else ast.Break()
    yield ast.unparse(instead), instead


def _raise(_node: ast.Raise) -> Iterator[Change]:
    yield "not raised", None


_BY_TYPE: dict[type, Callable[..., Iterator[Change]]] = {
    ast.Compare: _compare, ast.BoolOp: _bool_op, ast.UnaryOp: _not, ast.Constant: _constant,
    ast.BinOp: _bin_op, ast.If: _branch, ast.While: _branch, ast.IfExp: _branch,
    ast.Expr: _statement, ast.Assign: _assignment, ast.AugAssign: _assignment,
    ast.Return: _return, ast.Break: _loop_end, ast.Continue: _loop_end, ast.Raise: _raise,
}  # fmt: skip
