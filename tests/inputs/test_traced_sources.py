"""Sources as people have them: wrapped functions, macros before names, operators, Python of other versions and unfinished."""

import os
import subprocess
import sys
from textwrap import dedent

import pytest
from hypothesis import given, settings, strategies as st

from exai_trio.tools.workflow.tracing import callflow, macros
from exai_trio.tools.workflow.tracing.parse_process import read


def calls(suffix, text):
    """What each definition of a source calls, by its name."""
    found = read(suffix, dedent(text).lstrip("\n"))
    return {
        each.name: [call.name for call in each.calls]
        for each in found.definitions
        if each.kind != "file"
    }


COMPONENTS = """
import { memo, forwardRef } from 'react';

export const Memo = memo(() => { return useThing(); });
export const Fwd = forwardRef<HTMLDivElement, Props>((props, ref) => { useOther(); return <Child ref={ref} />; });
const Grid = memo(function Grid() { inGrid(); return <Row />; });

export default function Page() { return <><Memo /><Fwd /><Grid /></>; }
"""


def test_components_inside_a_call():
    """memo, forwardRef and the like name what they wrap, with its own calls, and each is called by whoever shows it."""
    assert {
        "Memo": ["useThing"],
        "Fwd": ["useOther", "Child"],
        "Grid": ["inGrid", "Row"],
        "Page": ["Memo", "Fwd", "Grid"],
    } == calls(".tsx", COMPONENTS)

    flow = callflow.traced({"/c.tsx": read(".tsx", COMPONENTS)}, "Memo", "precision")
    assert flow["target_found"]
    assert ["Page"] == [each["name"] for each in flow["definitions"][0]["called_by"]]


WRAPPED = {
    "React.memo": "const X = React.memo(() => { a(); });",
    "two calls": "export const X = memo(forwardRef((p, ref) => { a(); }));",
    "options": "const X = memo(() => { a(); }, same);",
    "function first": "const X = styled(function () { a(); });",
    "function last": "export const X = createThunk('x/get', async (id) => { await a(id); });",
    "var": "var X = debounce(function () { a(); }, 100);",
    "exports": "exports.X = middy(async () => { a(); });",
    "in a function": "function f() { const X = useCallback(() => { a(); }, []); }",
    "in an object": "const o = { X: throttle(() => { a(); }) };",
    "default": "export default memo(function X() { a(); });",
    "registered": "app.get('/x', function X(req, res) { a(res); });",
    "generator": "const X = wrap(function* () { a(); });",
    "field": "class C { X = debounce(() => { a(); }); }",
}


@pytest.mark.parametrize("suffix", [".js", ".ts", ".tsx", ".jsx"])
@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED)
def test_what_a_call_wraps_is_found(suffix, text):
    """A function that a call takes and gives back changed has the name of what holds it."""
    found = calls(suffix, text)
    (name,) = [name for name in found if name.rpartition(".")[2] == "X"]

    assert ["a"] == found[name]


@pytest.mark.parametrize(
    "text",
    ["const X = memo(() => { a(); }) as Box;", "const X = memo(() => { a(); }) satisfies Box;"],
)
def test_a_type_behind_the_call_hides_nothing(text):
    """TypeScript's casts of what a wrapper gives."""
    assert {"X": ["a"]} == calls(".ts", text)


@pytest.mark.parametrize(
    "text",
    [
        "const X = items.map((each) => a(each));",
        "const X = items.filter((each) => a(each)).sort(() => b());",
        "const X = setTimeout(() => { a(); }, 5);",
        "const X = load().then(() => a());",
    ],
)
def test_what_a_call_uses_up_names_nothing(text):
    """A function for a collection, a promise or a timer is no definition: what it calls is called where it stands."""
    assert {} == calls(".js", text)
    assert {"f": ["a"]} == {
        name: [each for each in found if each == "a"]
        for name, found in calls(".js", f"function f() {{ {text} }}").items()
    }


def test_functions_inside_calls_of_other_languages():
    """Go's wrapped literals and Ruby's lambdas and procs."""
    go = "package m\nvar H = http.HandlerFunc(func(w W, r *R) { serve(w) })\n"
    ruby = "SAVE = lambda { |x| store(x) }\nshow = proc do |x|\n  render(x)\nend\n"

    assert {"H": ["serve"]} == calls(".go", go)
    assert {"SAVE": ["store"], "show": ["render"]} == {
        name: [each for each in found if each not in {"lambda", "proc", "x"}]
        for name, found in calls(".rb", ruby).items()
    }


ENGINE = """\
#pragma once
class MYLIB_API Engine : public QObject {
  Q_OBJECT
public:
  Engine();
  void start() { spin_up(); }
public slots:
  void onTick() { tick_once(); }
};
template <typename T> class LIB_VISIBILITY Pool { T* get() { return take(); } };
"""


def test_export_macros_before_a_name():
    """The class has its name and its methods theirs, each at its line."""
    found = read(".hpp", ENGINE)

    assert [(2, "class", "Engine"), (6, "function", "Engine.start"), (8, "function", "Engine.onTick"),
            (10, "class", "Pool"), (10, "function", "Pool.get")] == [
        (each.line, each.kind, each.name) for each in found.definitions[1:]
    ]  # fmt: skip
    for target in ("Engine::start", "Engine"):
        assert callflow.traced({"/e.hpp": found}, target, "precision")["target_found"]


HEADS = [
    "class API N", "class API N final", "struct LIB_EXPORT N", "class LIB_EXPORT(core) N", "class ONE_API TWO_API N",
    "struct my_export N", "class whatever N", "enum class API N : int", "struct PYBIND11_EXPORT_EXCEPTION N : std::exception",
    "class N", "class N final", "struct N : Base", "union API N", "class API N : public A, private B",
    "class __declspec(dllexport) N", "class [[nodiscard]] N", "class alignas(8) N",
]  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_a_name_is_found_behind_whatever_stands_before_it(head):
    """Macros, attributes, `final` and bases, in any order that compilers take."""
    body = "{ A, B };" if head.startswith("enum") else "{ int m() { return a(); } };"
    found = calls(".hpp", f"{head} {body}")

    assert "N" in found
    if not head.startswith("enum"):
        assert ["a"] == found["N.m"]


@pytest.mark.parametrize(
    "text",
    [
        "struct point p{1, 2};",
        "class Engine;",
        "struct tm now = {0};",
        "class N { };",
        "enum Kind { A };",
        "struct API;",
        "// class of a kind {",
    ],
)
def test_what_is_no_macro_stays(text):
    """Variables of a struct, plain definitions and comments are left as they are."""
    assert text == macros.blanked(text)


@given(st.lists(st.sampled_from(["class ", "struct ", "API ", "A_B(x) ", "N ", "{", ":", "::", "\n", "é", "Q_OBJECT", "public slots:", "<T>"])).map("".join))  # fmt: skip
def test_blanks_keep_every_place(text):
    """What is left out leaves as many characters, bytes and lines."""
    left = macros.blanked(text)

    assert (len(text), len(text.encode()), text.count("\n")) == (
        len(left), len(left.encode()), left.count("\n"),
    )  # fmt: skip


OPERATORS = ["<<", ">>", "<", ">", "<=", ">=", "<=>", "==", "===", "!=", "=~", "!~", "!", "~", "+", "-", "*", "/", "%", "**",
             "&", "|", "^", "[]", "[]=", "+@", "-@", "`"]  # fmt: skip


@pytest.mark.parametrize("operator", OPERATORS)
def test_ruby_operators_have_their_names(operator):
    """Each with its call, and found by its qualified name and alone."""
    given = "" if operator in {"!", "~", "+@", "-@"} else "(*x)"
    source = read(".rb", f"class V\n  def {operator}{given}\n    push_it(1)\n  end\nend\n")
    found = {each.name: [call.name for call in each.calls] for each in source.definitions}

    assert "push_it" in found[f"V.{operator}"]
    for target in (f"V#{operator}", f"what does V#{operator} do", operator, f"V.{operator}"):
        flow = callflow.traced({"/ops.rb": source}, target, "precision")
        assert flow["target_found"]
        assert f"V.{operator}" in [each["name"] for each in flow["definitions"]]


def test_operators_of_cpp_are_found():
    """As they are written in C++."""
    source = read(".cpp", "struct V { bool operator==(V o) { return same(o); } };")

    for target in ("V::operator==", "V.operator=="):
        flow = callflow.traced({"/v.cpp": source}, target, "precision")
        assert ["V.operator=="] == [each["name"] for each in flow["definitions"]]


K = "\ndef k():\n    return f()\n"
UNPARSABLE = {
    "conflict": "def f():\n<<<<<<< HEAD\n    return g()\n=======\n    return h()\n>>>>>>> other",
    "conflict with base": "<<<<<<< a\nx = 1\n||||||| base\nx = 2\n=======\nx = 3\n>>>>>>> b",
    "unfinished call": "def a():\n    x = foo(",
    "unfinished list": "x = [1, 2,",
    "unfinished text": "x = 'abc",
    "unfinished long text": "def a():\n    s = '''abc",
    "unfinished header": "def a(:\n    b()",
    "unfinished keyword": "def",
    "no body": "def g():",
    "no except": "try:\n    a()",
    "bad indent": "if x:\n    a()\n  b()",
    "tabs and blanks": "if x:\n\tif y:\n        a()",
    "words": "this is no Python at all",
    "old print": "print 'x'\nprint 'y', g()",
    "old except": "try:\n    a()\nexcept A, B:\n    b()",
    "old raise": "raise A, 'text'",
    "template text": "x = t'{g()}'",
    "type": "type A = list[int]",
    "generic type": "type A[T: int] = list[T]",
    "match": "match x:\n    case [1, *:\n        a()",
    "later type": "def a[T](x: T) -> T: return b(x)",
    "stray bracket": "x = 1)\ny = 2",
    "lazy import": "lazy import json",
}


@pytest.mark.parametrize("before", UNPARSABLE.values(), ids=UNPARSABLE)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_cannot_be_parsed_costs_that_line(before, end):
    """What stands behind it is found, at its line, whatever it is."""
    found = read(".py", f"{before}\n{K}".replace("\n", end))
    (k,) = [each for each in found.definitions if each.name == "k"]

    assert "" == found.fault
    assert ["f"] == [call.name for call in k.calls]
    assert before.count("\n") + 3 == k.line


def test_python_newer_than_this_one():
    """Type parameters and aliases hide nothing of what they are on."""
    text = """
    class A[T: (int, str)](Base[T]):
        async def m[**P](self, x: list[P]) -> None:
            await q()

    type Alias = list[int]

    def caller():
        return old_style()
    """

    assert {"A": [], "A.m": ["q"], "caller": ["old_style"]} == calls(".py", text)


def test_both_sides_of_a_conflict_are_read():
    """What either side calls is there, and the answer says that lines were left out."""
    found = read(".py", UNPARSABLE["conflict"] + K)

    assert ["g", "h"] == [call.name for call in found.definitions[1].calls]
    assert "line 2 and 2 more cannot be parsed" in found.doubt


@settings(max_examples=settings.default.max_examples * 4 // 5)
@given(st.lists(st.sampled_from(["def f():", "    g(", "    return", "class A:", "try:", "except", "  x = 1", "\tx", "(", ")", "'''", "'", "<<<<<<< x", "=======", "", "else:", "match x:", "case 1:", "@d", "\\", "async", "print 'x'"]), max_size=25))  # fmt: skip
def test_any_lines_have_an_end(lines):
    """However broken, a file is read or has a fault, and lines are those that it has."""
    found = read(".py", "\n".join(lines))

    assert all(1 <= each.line <= max(1, len(lines)) for each in found.definitions)


PROGRAM = """
import sys
from exai_trio.tools.workflow.tracing import callflow
from exai_trio.tools.workflow.tracing.parse_process import read
bad = "\\n".join(["function a() { b() }", "class {{{ 3", "foo )", "(( ]", "function x( {"] * 20)
texts = {"/a.js": bad, "/b.py": "def f(\\n" * 9 + "def g(): h()\\n", "/c.rs": "fn a() { b() } fn fn )( " * 20,
         "/d.hpp": "class API N { void m() { a(); } }; } ) (" * 20, "/e.rb": "def a\\n b\\n end end )(\\n" * 20}
for _ in range(5):
    sources = {path: read(path[2:], text) for path, text in texts.items()}
    print([callflow.traced(sources, "a", mode) for mode in ("precision", "dependencies")])
"""


@pytest.mark.real
def test_the_same_input_gives_the_same_answer():
    """In one process and in others, however their tables are seeded."""
    said = {
        line
        for seed in ("0", "1", "2", "3")
        for line in subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.splitlines()
    }

    assert 1 == len(said)
    assert "near line" in said.pop()
