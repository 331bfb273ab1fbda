"""One audited file: its syntax tree, and the exceptions its comments claim."""

import ast
import re
from functools import cached_property

EXCEPTION = re.compile(r"#\s*audit:\s*(?P<rule>[\w-]*)\s*(?:,\s*because\s+(?P<why>\S.*))?")
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class Source:
    """Raises SyntaxError for a text that is no Python."""

    def __init__(self, shown, text):
        self.shown = shown
        self.lines = text.splitlines()
        self.tree = ast.parse(text)
        self.exceptions = dict(self._claimed()) if "audit:" in text else {}

    def _claimed(self):
        """Rule and reason by line, of comments alone."""
        for number, line in enumerate(self.lines, 1):
            match = EXCEPTION.search(line)
            if match and number not in self._quoted:
                yield number, (match["rule"], match["why"] or "")

    @cached_property
    def _quoted(self):
        """Lines inside a text of several lines."""
        texts = (
            node for node in ast.walk(self.tree) if isinstance(node, (ast.Constant, ast.JoinedStr))
        )
        return {n for text in texts for n in range(text.lineno + 1, text.end_lineno + 1)}

    @cached_property
    def parents(self):
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def docstrings(self):
        """Texts that stand alone: of modules, classes, functions and fields."""
        return {
            node.value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }

    def above(self, node):
        """What a node stands in, from the inside out."""
        while node := self.parents.get(node):
            yield node

    def exception_for(self, line, rule):
        """The line of the comment that explains this finding: on it, or alone on the next one or the one before."""
        for number in (line, line - 1, line + 1):
            alone = (
                self.lines[number - 1].lstrip().startswith("#")
                if 0 < number <= len(self.lines)
                else False
            )
            if number in self.exceptions and (number == line or alone):
                claimed, why = self.exceptions[number]
                if claimed == rule and why:
                    return number
        return None

    def has_reason(self, node):
        """Whether a comment stands on the line of a constant, or above it and the constants it is grouped with."""
        if any("#" in self.lines[number - 1] for number in {node.lineno, node.end_lineno}):
            return True
        number = node.lineno - 1
        while number and self.lines[number - 1].strip():
            line = self.lines[number - 1].lstrip()
            if line.startswith("#"):
                return True
            if not re.match(r"\w+(: [^=]+)? = ", line):
                return False
            number -= 1
        return False


def walk_here(nodes):
    """Every node below these, but for the insides of functions and classes."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def last_name(node):
    """`c` of `a.b.c`, of `c`, and of a call or subscript of these."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
