"""Who imports whom, read from the syntax trees; imports for types alone do not count."""

import ast


def modules(files):
    """The tree of each module by its dotted name. Raises SyntaxError, with the file, for a text that is no Python."""
    found = {}
    for shown, text in files:
        name = shown.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        found[name] = ast.parse(text, filename=shown)
    return found


def imported(name, tree, known, is_package):
    """Line and dotted name of each import of a module; of `from a import b`, `a.b` where that is a module."""
    for node in _at_run_time(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(name, node, is_package)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if whole in known else base


def _at_run_time(tree):
    """Every node but those below `if TYPE_CHECKING`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _absolute(name, node, is_package):
    if not node.level:
        return node.module or ""
    up = name.split(".")[: None if is_package and node.level == 1 else (is_package - node.level)]
    return ".".join([*up, node.module] if node.module else up)


def is_below(name, package):
    return name == package or name.startswith(f"{package}.")
