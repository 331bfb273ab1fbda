"""Settings over all audited files: declared and unread, read and undeclared, with two defaults; and who reads the environment."""

import ast
import re

from auditing.source import last_name

VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
TABLES = re.compile(r"settings/(groups/\w+_settings|table)\.py$")
OURS = re.compile(r"EXAI_[A-Z0-9_]+")
HOLDERS = {"config", "settings", "cfg", "_config", "_settings"}
READING = {("os", name) for name in ("environ", "getenv", "environb", "getenvb", "putenv")}
CLASSES = {"Config", "Settings"}
GETTERS = {"get", "getenv", "pop", "setdefault"}
COMMAND_LINE = {"cli.py", "__main__.py"}


def environment(source):
    """Each place outside the command line that reads the environment."""
    if source.shown.rpartition("/")[2] in COMMAND_LINE:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names}
            if names & {"environ", "getenv", "environb", "putenv"}:
                yield node.lineno, "environment", "the environment is read outside the command line"
        elif isinstance(node, ast.Attribute) and (last_name(node.value), node.attr) in READING:
            yield node.lineno, "environment", f"os.{node.attr} outside the command line"


def over_all(sources):
    """Source, line, rule and message of what only all files together show."""
    yield from _two_defaults(sources)
    declared = {}
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and node.name in CLASSES:
                declared[node.name] = (source, node, _members(node))
    for source, node, (fields, _) in declared.values():
        yield from _unread(sources, source, node, fields)
    if len(declared) == 1:
        ((_, _, (fields, others)),) = declared.values()
        yield from _undeclared(sources, {*fields, *others})
    yield from _unknown_variables(sources)


def _members(node):
    """The fields of a class of settings with their lines, and its other names."""
    fields = {
        part.target.id: part.lineno
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }
    return fields, {
        part.name for part in node.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def _unread(sources, home, declaring, fields):
    read = set()
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
            elif isinstance(node, ast.Call) and last_name(node.func) in {"getattr", "attrgetter"}:
                read |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    for name in fields.keys() - read:
        yield (
            home,
            fields[name],
            "unread-setting",
            f"{declaring.name}.{name} is declared and never read",
        )


def _undeclared(sources, known):
    for source in sources:
        for node in ast.walk(source.tree):
            name, default = _read_setting(node)
            if name and name not in known and not name.startswith("__"):
                yield source, node.lineno, "undeclared-setting", f"{name} is read and not declared"
            elif name and default is not None:
                yield (
                    source,
                    node.lineno,
                    "two-defaults",
                    f"{name} has a default here and where it is declared",
                )


def _read_setting(node):
    if (
        isinstance(node, ast.Attribute)
        and last_name(node.value) in HOLDERS
        and not isinstance(node.value, (ast.Call, ast.Subscript))
    ):
        return node.attr, None
    if isinstance(node, ast.Call) and last_name(node.func) == "getattr" and len(node.args) > 1:
        holder, name, *default = node.args
        if last_name(holder) in HOLDERS and isinstance(name, ast.Constant):
            return name.value, default[0] if default else None
    return "", None


def _two_defaults(sources):
    """The same variable, read in two places with two defaults."""
    first = {}
    for source in sources:
        for line, name, default in _variables_read(source):
            if first.setdefault(name, default) != default:
                message = f"{name} is {default} here and {first[name]} elsewhere"
                yield source, line, "two-defaults", message


def _variables_read(source):
    """Line, name and default of each variable that is read with a default."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or len(node.args) != 2:
            continue
        name, default = node.args
        named = isinstance(name, ast.Constant) and isinstance(name.value, str)
        if named and VARIABLE.fullmatch(name.value) and last_name(node.func) in GETTERS:
            yield node.lineno, name.value, ast.unparse(default)


def _unknown_variables(sources):
    """Variables of ours that are named, and that the table of settings does not have."""
    tables = [source for source in sources if TABLES.search(source.shown)]
    known = {text for table in tables for _, text in _texts(table.tree)}
    for source in sources if tables else ():
        for line, text in _texts(source.tree):
            if OURS.fullmatch(text) and text not in known:
                yield source, line, "undeclared-setting", f"{text} is in no table of settings"


def _texts(tree):
    """Line and text of each text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
