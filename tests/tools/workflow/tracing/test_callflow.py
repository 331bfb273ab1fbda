"""The call flow that is told of what was read."""

import pytest

from exai_trio.tools.workflow.tracing import callflow, python_source
from exai_trio.tools.workflow.tracing.parse_process import read
from exai_trio.tools.workflow.tracing.sources import Source

SOURCE = """
import os
from pathlib import Path


class Shop:
    def open(self):
        self.greet()
        return lambda: helper(os.getcwd())

    def greet(self):
        def inner():
            unseen()
        inner()


async def main():
    shop = Shop()
    shop.open()


def helper(x):
    return Path(x)


main()
"""
READ = {"/s.py": python_source.read(SOURCE)}


def found(flow):
    return {each["name"]: each for each in flow["definitions"]}


def test_the_call_flow_follows_the_calls():
    """From the target over methods and functions, with places and callers; what is not reached is not shown."""
    flow = callflow.traced(READ, "how does main() begin?", "precision")
    seen = found(flow)

    assert flow["target_found"] is True
    assert {"main", "Shop", "Shop.open", "Shop.greet", "helper", "Shop.greet.inner"} == set(seen)
    assert next(iter(seen)) == "main"
    assert {"name": "open", "line": 19} in seen["main"]["calls"]
    assert seen["main"]["at"] == "/s.py:17"
    assert seen["main"]["called_by"] == [{"name": "(top level)", "at": "/s.py:26"}]
    assert seen["helper"]["called_by"] == [{"name": "Shop.open", "at": "/s.py:9"}]
    assert {"name": "unseen", "line": 13} in seen["Shop.greet.inner"]["calls"]


def test_dependencies_name_imports_and_callers():
    """What the target calls and uses, what calls and uses it, and what each file imports."""
    js = "import x from './x';\nregister(helper, Path);"
    flow = callflow.traced(READ | {"/a.js": read(".js", js)}, "helper", "dependencies")
    (helper,) = flow["definitions"]

    assert helper["called_by"] == [{"name": "Shop.open", "at": "/s.py:9"}]
    assert helper["used_by"] == [{"name": "(top level)", "at": "/a.js:2"}]
    assert helper["calls"] == [{"name": "Path", "line": 23}]
    assert flow["imports"] == {"/s.py": ["os", "pathlib"], "/a.js": ["./x"]}


def test_uses_are_of_what_is_defined_in_the_files():
    """Local variables and what is defined elsewhere are no dependencies."""
    files = {"/a.rs": read(".rs", "struct S; fn f(s: S, o: Other) { g(s) } fn g(s: S) {}")}
    seen = found(callflow.traced(files, "f", "dependencies"))

    assert seen["f"]["uses"] == [{"name": "S", "line": 1}]


@pytest.mark.parametrize(
    "target", ["Shop.open", "Shop::open", "what does Shop#open do", "Shop->open()"]
)
def test_a_qualified_name_means_that_one(target):
    """A method is named with its class in any language's way; others of the same name are not meant."""
    files = READ | {"/t.py": python_source.read("class Door:\n    def open(self): pass")}
    flow = callflow.traced(files, target, "dependencies")

    assert ["Shop.open"] == list(found(flow))


def test_a_name_is_followed_from_file_to_file():
    """A definition of another file is reached by its name, in whatever language."""
    files = {
        "/a.ts": read(".ts", "export class A { run() { größe(1); } }"),
        "/b.js": read(".js", "export function größe(n) { return größe(n - 1); }"),
    }
    flow = callflow.traced(files, "A.run", "precision")

    assert ["A.run", "größe"] == list(found(flow))
    assert [{"name": "A.run", "at": "/a.ts:1"}, {"name": "größe", "at": "/b.js:1"}] == found(flow)[
        "größe"
    ]["called_by"]


def test_all_of_one_name_are_reached():
    """Which `run` is meant is decided at run time: all of them are shown."""
    text = "class A:\n def run(self): a()\nclass B:\n def run(self): b()\ndef main(x): x.run()"
    flow = callflow.traced({"/s.py": python_source.read(text)}, "main", "precision")

    assert ["main", "A.run", "B.run"] == list(found(flow))


def test_without_the_target_everything_is_told():
    """A target that no file defines: all definitions, and that it was not found."""
    flow = callflow.traced(READ, "nothing_like_this", "precision")

    assert flow["target_found"] is False
    assert 6 == len(flow["definitions"])


def test_faults_and_doubts_are_named():
    """A file that could not be read, or not whole, is named with the reason; it does not stop the others."""
    files = READ | {"/bad.py": Source(fault="F"), "/half.go": read(".go", "package a\nfunc (")}
    flow = callflow.traced(files, "", "precision")

    assert {"/bad.py": "F"} == flow["unparsed"]
    assert ["/half.go"] == list(flow["partly_parsed"])
    assert "main" in found(flow)


def test_an_answer_has_an_end():
    """However much was found, an answer names a few hundred things and says how many it leaves out."""
    calls = ";".join(f"g{n}()" for n in range(120))
    many = {"/a.js": read(".js", "".join(f"function f{n}() {{ {calls} }}\n" for n in range(60)))}
    flow = callflow.traced(many, "", "precision")
    first = flow["definitions"][0]

    assert (50, 70) == (len(first["calls"]), first["calls_left_out"])
    assert 40 == len(flow["definitions"])
    assert 20 == flow["left_out"]


def test_one_name_for_everything_is_no_trap():
    """Thousands of definitions of one name that all call it are followed once."""
    many = {"/a.js": read(".js", "function f() { f() }\n" * 3000)}

    flow = callflow.traced(many, "f", "precision")

    assert 3000 == len(flow["definitions"]) + flow["left_out"]
