"""Each kind of change is made once for each place, and only what the program does is changed."""

import ast

import pytest
from mutation.operators import mutants, planted


def _made(source: str) -> list[str]:
    return [ast.unparse(planted(source, mutant)) for mutant in mutants("a.py", source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("f(a < b)", ["pass", "f(a <= b)"]),
        ("f(a is b)", ["pass", "f(a is not b)"]),
        ("f(a and b)", ["pass", "f(a or b)"]),
        ("f(not a)", ["pass", "f(a)"]),
        ("f(shield=True)", ["pass", "f(shield=False)"]),
        ("if ready:\n    x = f()", ["if not ready:\n    x = f()"]),
        ("self.left = True", ["pass"]),
        ("def f():\n    return x", ["def f():\n    return None"]),
        ("while True:\n    break", ["while False:\n    break", "while True:\n    continue"]),
        ("raise ValueError", ["pass"]),
        ("n += 1", ["n += 2"]),
        ("def f(x=1):\n    g", ["def f(x=2):\n    g"]),
    ],
)
def test_every_change_is_made(source, expected):
    assert sorted(expected) == sorted(_made(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""Says."""',
        "log.info('x', extra={'n': 1})",
        "import x",
        "warnings.warn(n + 1)",
        "await trio.lowlevel.checkpoint()",
        "assert a < b",
        "@define(eq=False)\nclass A:\n    pass",
        "@cache(size=1)\ndef f():\n    g",
        "_PAUSE_S = 5",
        "class A:\n    most: int = 5",
        "def f(x: Literal[1]=None) -> Literal[2]:\n    g",
        "class P(Protocol):\n\n    def f(self):\n        ...",
        "if TYPE_CHECKING:\n    from a import b",
        "x = f'{n + 1}'",
        "x = Bye(reason='left', retry_after_s=5)",
        "x = round(n + 1, 3)",
        "def __repr__(self):\n    return 'x'",
    ],
)
def test_what_only_says_something_is_left_alone(source):
    assert _made(source) == []


def test_a_default_runs_where_its_function_does():
    """Whoever reaches that reaches it."""
    (found,) = mutants("a.py", 'class A:\n    def f(self, x=1):\n        """Says."""\n        g')

    assert ("A.f", 2, 4) == (found.where, found.line, found.first)


def test_a_survivor_s_key_has_no_line_number():
    (first,) = mutants("a.py", "f()")
    (second,) = mutants("a.py", "\n\nf()")

    assert (first.key, first.line) == (second.key, second.line - 2)
