"""Languages that have a tree-sitter grammar here: which files are theirs, and which queries say what is in them. Pure.

What a query in queries/*.scm captures: `@name` with the kind of definition around it (`@function`, `@class`, …); `@owner`, the type
that a method belongs to; `@scope`, that only lends its name to what is inside; `@rest`, one that lasts to the end of the file; `@call`
and `@use`, a name that is called or used; `@bare`, a call unless `@bound` as a variable in the same definition; `@import`.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from exai_trio import structs


@structs.frozen
class Language:
    """A grammar: the package it is in, the function that gives it, and the files with its queries."""

    name: str
    package: str
    queries: tuple[str, ...]
    entry: str = "language"
    has_macros: bool = False


_C = Language("C", "tree_sitter_c", ("c",), has_macros=True)
_CPP = Language("C++", "tree_sitter_cpp", ("c", "cpp"), has_macros=True)
_CSHARP = Language("C#", "tree_sitter_c_sharp", ("c_sharp",))
_GO = Language("Go", "tree_sitter_go", ("go",))
_JAVA = Language("Java", "tree_sitter_java", ("java",))
_JAVASCRIPT = Language(
    "JavaScript",
    "tree_sitter_javascript",
    ("ecmascript", "ecmascript_wrapped", "javascript", "jsx"),
)
_PHP = Language("PHP", "tree_sitter_php", ("php",), "language_php")
_RUBY = Language("Ruby", "tree_sitter_ruby", ("ruby",))
_RUST = Language("Rust", "tree_sitter_rust", ("rust",))
_TYPESCRIPT = Language(
    "TypeScript",
    "tree_sitter_typescript",
    ("ecmascript", "ecmascript_wrapped", "typescript"),
    "language_typescript",
)
_TSX = Language(
    "TSX",
    "tree_sitter_typescript",
    ("ecmascript", "ecmascript_wrapped", "typescript", "jsx"),
    "language_tsx",
)

_SUFFIXES: Final[Mapping[Language, tuple[str, ...]]] = {
    _C: (".c",),
    _CPP: (".cc", ".cpp", ".cxx", ".c++", ".h", ".hh", ".hpp", ".hxx", ".ipp"),
    _CSHARP: (".cs",),
    _GO: (".go",),
    _JAVA: (".java",),
    _JAVASCRIPT: (".js", ".mjs", ".cjs", ".jsx"),
    _PHP: (".php",),
    _RUBY: (".rb", ".rake", ".gemspec"),
    _RUST: (".rs",),
    _TSX: (".tsx",),
    _TYPESCRIPT: (".ts", ".mts", ".cts"),
}
LANGUAGES: Final = {suffix: one for one, suffixes in _SUFFIXES.items() for suffix in suffixes}
PYTHON: Final = frozenset({".py", ".pyi", ".pyw"})


def suffix(path: str) -> str:
    return PurePath(path).suffix.lower()


def is_known(path: str) -> bool:
    return suffix(path) in PYTHON or suffix(path) in LANGUAGES
