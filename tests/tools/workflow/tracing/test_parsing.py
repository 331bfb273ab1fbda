"""Sources are read in a process of their own, which hostile ones cannot leave."""

import subprocess
import sys
from functools import partial

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st

from exai_trio.tools.workflow.tracing import callflow, parsing
from exai_trio.tools.workflow.tracing.languages import LANGUAGES, is_known
from exai_trio.tools.workflow.tracing.parse_process import read as read_here
from exai_trio.tools.workflow.tracing.parsing import Limits

pytestmark = pytest.mark.real

# Time enough on a machine that has much else to do.
PATIENT = Limits(file_s=50, all_s=55)
SMALL = attrs.evolve(PATIENT, memory=160 * 1024 * 1024)
GOOD = [("/good.py", "def a(): b()"), ("/good.go", "package a\nfunc a() { b() }")]


def names(source):
    return [each.name for each in source.definitions if each.name]


async def test_sources_come_back_in_their_order():
    """One for each text, whatever the language."""
    found = await parsing.read([*GOOD, ("/x.rs", "fn c() {}")], PATIENT)

    assert [["a"], ["a"], ["c"]] == [names(each) for each in found]


async def test_nothing_to_read_starts_nothing():
    """Without a text there is no process, and no wait."""
    assert [] == await parsing.read([], PATIENT)


HOSTILE = {
    "nests without end": ("/bad.cpp", "(a)(b)*" * 40_000),
    "wants all memory": ("/bad.cs", "a<b<" * 60_000),
}


@pytest.mark.parametrize("why", HOSTILE)
async def test_a_source_that_kills_the_process_costs_itself_only(why):
    """Beyond what a process may use the file is named, and those around it are read."""
    first, bad, last = await parsing.read([GOOD[0], HOSTILE[why], GOOD[1]], SMALL)

    assert "more than the parser can take" in bad.fault
    assert [["a"], ["a"]] == [names(first), names(last)]


async def test_a_source_that_takes_too_long_is_named():
    """At the end of a file's time its process is killed, and says so."""
    hostile = ("/bad.js", "a.b;" * 250_000)
    (bad,) = await parsing.read([hostile], Limits(file_s=0.01))

    assert "takes longer than 0.01 s" in bad.fault


async def test_a_trace_has_an_end():
    """At the end of the time for all files, those that were not reached are named."""
    found = await parsing.read(GOOD, Limits(all_s=0.01))

    assert ["not reached"] * 2 == [each.fault[:11] for each in found]


async def test_without_a_process_the_files_are_named(monkeypatch):
    """A system that starts no process costs the trace, not the call."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = await parsing.read(GOOD, Limits())

    assert ["no process could be started to parse it"] * 2 == [each.fault for each in found]


async def test_a_cancelled_trace_leaves_no_process(monkeypatch):
    """Cancelling kills the process at once."""
    run_process, started, running = trio.run_process, [], trio.Event()

    async def run(*args, task_status, **settings):
        async with trio.open_nursery() as nursery:
            started.append(await nursery.start(partial(run_process, *args, **settings)))
            task_status.started(started[0])
            running.set()

    monkeypatch.setattr(trio, "run_process", run)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(parsing.read, [("/bad.cs", "a<b<" * 250_000)], Limits())
            await running.wait()
            scope.cancel(reason="test")

    assert started[0].returncode < 0


def test_the_daemon_imports_no_grammar():
    """tree-sitter and ast's like are loaded in the reading process only."""
    code = (
        "import sys, exai_trio.tools.registry;"
        "print(sorted(m for m in sys.modules if m.startswith('tree_sitter')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout

    assert b"[]\n" == told


PIECES = st.sampled_from(
    ["(", ")", "{", "}", "<", ">", "::", ";", "\n", "  ", "'", '"', "`", "=>", "def ", "class ", "fn ", "func ", "function ",
     "end", "a", "größe", "日本", "=", ".", "*", "&", "#include ", "namespace ", "<<A", "<?php ", "use ", "import ", "0", "$x", "//", "/*"]
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(PIECES, max_size=40).map("".join),
    st.text(st.characters(), max_size=40),
    st.binary(max_size=80).map(lambda content: content.decode("utf-8", "replace")),
)


@pytest.mark.parametrize(
    "suffix", [*sorted({one: s for s, one in LANGUAGES.items()}.values()), ".py"]
)
@settings(
    max_examples=settings.default.max_examples * 3 // 5,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(text=TEXTS, target=TEXTS, mode=st.sampled_from(["precision", "dependencies"]))
def test_any_text_gives_an_answer(suffix, text, target, mode):
    """Whatever is in a file and whatever is asked for, there is a call flow, with lines that the file has."""
    source = read_here(suffix, text)
    flow = callflow.traced({f"/x{suffix}": source}, target, mode)

    assert isinstance(flow["definitions"], list)
    assert all(
        1 <= each.line <= 1 + text.count("\n") + text.count("\r") for each in source.definitions
    )


@settings(max_examples=30)
@given(st.text())
def test_any_path_is_of_a_known_language_or_not(path):
    """No name of a file is too strange."""
    assert is_known(path) in {True, False}
    assert is_known(f"/{path}x.PY")
