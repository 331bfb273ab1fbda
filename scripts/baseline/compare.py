"""`compare A B`: the ratio of medians for each tool. Two commits are measured by turns; two files are taken as they are."""

import json
import subprocess
import tempfile
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import attrs
import httpx2
import trio

from . import definitions, records
from .client import Lost, connected
from .collect import work_folder
from .judge import judged
from .ratios import SURE, ratio_of
from .runs import Bench, NotReady
from .served import log_of, own_daemon
from .wrong import Wrong

SCHEMA = "exai-ratios/1"


@attrs.frozen(kw_only=True)
class Compared:
    """`lost` are the tools of which there is nothing to compare, and why."""

    ratios: dict
    lost: dict


def compared(asked):
    """The exit code. Raises Wrong."""
    files = [Path(name) for name in (asked.a, asked.b) if Path(name).is_file()]
    if len(files) == 1:
        raise Wrong(
            f"{asked.a} {asked.b}: a file and a commit were not measured by turns; allowed: two files, or two commits"
        )
    found = _of_files(*files, asked.tools) if files else _of_commits(asked)
    print(_told(found))
    if asked.json is not None:
        _write(asked.json, found)
    slow = [
        name
        for name, ratio in found.ratios.items()
        if asked.check and ratio.verdict == "slower" and ratio.value > asked.check
    ]
    return 1 if slow or not found.ratios else 0


def _of_files(a, b, tools):
    """Raises Wrong for what cannot be compared."""
    one, other = records.read(a), records.read(b)
    if one.machine.id != other.machine.id:
        raise Wrong(
            f"{b}: machine is {other.machine.id}, {a} was measured on {one.machine.id}; allowed: one machine"
        )
    if one.source != other.source:
        raise Wrong(
            f"{b}: source is {other.source!r}, that of {a} is {one.source!r}; allowed: the same"
        )
    sides = [
        {name: _totals(runs) for name, runs in each.by_tool().items()} for each in (one, other)
    ]
    names = [
        name
        for name in dict.fromkeys([*sides[0], *sides[1]])
        if not tools or name in tools.split(",")
    ]
    if tools and set(tools.split(",")) - set(names):
        raise Wrong(
            f"--tools: {tools}: not all are in these files; allowed: {', '.join(dict.fromkeys([*sides[0], *sides[1]]))}"
        )
    ratios, lost = {}, {}
    for name in names:
        pairs = [side.get(name, []) for side in sides]
        length = min(map(len, pairs))
        if length < 2:
            lost[name] = f"{len(pairs[0])} and {len(pairs[1])} good runs; needs 2 of each"
            continue
        ratios[name] = ratio_of(*(values[:length] for values in pairs))
    if not ratios:
        raise Wrong(
            f"{a} {b}: no tool has 2 good runs in both; allowed: baselines with --runs 2 or more"
        )
    return Compared(ratios=ratios, lost=lost)


def _totals(runs):
    return [run.total_ms for run in runs if run.ok and run.total_ms is not None]


def _of_commits(asked):
    with ExitStack() as stack:
        return by_turns(asked, [stack.enter_context(tree_of(name)) for name in (asked.a, asked.b)])


def by_turns(asked, trees):
    """Raises Wrong."""
    chosen = definitions.chosen(definitions.read(), asked.tools)
    with ExitStack() as stack:
        try:
            daemons = [stack.enter_context(own_daemon(tree=tree)) for tree in trees]
        except Lost as fault:
            raise Wrong(f"{asked.a} {asked.b}: a daemon does not start: {fault}") from fault
        folder = stack.enter_context(work_folder())
        series, lost = trio.run(turns, daemons, folder, chosen, asked.runs)
    ratios = {name: ratio_of(*sides) for name, sides in series.items()}
    return Compared(ratios={name: ratio for name, ratio in ratios.items() if ratio}, lost=lost)


@contextmanager
def tree_of(name):
    """The files of a commit, in a work tree that is gone afterwards; "." is this tree as it is. Raises Wrong."""
    if name == ".":
        yield records.ROOT
        return
    with tempfile.TemporaryDirectory(prefix="exai-tree-") as where:
        tree = Path(where) / "tree"
        made = _git("worktree", "add", "--detach", "--quiet", str(tree), name)
        if made.returncode:
            raise Wrong(
                f"{name}: is neither a file nor a commit: {made.stderr.strip().splitlines()[-1]}"
            )
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*words):
    return subprocess.run(
        ["git", *words], cwd=records.ROOT, capture_output=True, text=True, check=False
    )


async def turns(daemons, folder, chosen, runs):
    """Milliseconds of each tool's good pairs on both sides; and the tools that one side could not do."""
    series, lost = {one.name: ([], []) for one in chosen}, {}
    async with (
        httpx2.AsyncClient(trust_env=False) as http,
        _benches(daemons, folder, http) as benches,
    ):
        for turn in range(-2, runs):
            for definition in chosen:
                if definition.name in lost:
                    continue
                order = (0, 1) if turn % 2 == 0 else (1, 0)
                try:
                    pair = {side: await _milliseconds(benches[side], definition) for side in order}
                except (NotReady, _Failed) as fault:
                    lost[definition.name] = str(fault)
                    continue
                for side in (0, 1) if turn >= 0 else ():
                    series[definition.name][side].append(pair[side])
    return {name: sides for name, sides in series.items() if name not in lost}, lost


@asynccontextmanager
async def _benches(daemons, folder, http):
    """A bench for each daemon, for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connected(daemon.url, roots=[str(folder)]))
            for daemon in daemons
        ]
        yield [
            Bench(daemon, client, log_of(client.health, http), folder)
            for daemon, client in zip(daemons, clients, strict=True)
        ]


class _Failed(Exception):
    """A run that does not count."""


async def _milliseconds(bench, definition):
    run = judged(await bench.run(definition, counts=False))
    if not run.ok:
        raise _Failed(run.reason)
    return run.total_ms


def _told(found):
    width = max(map(len, [*found.ratios, *found.lost]), default=4)
    lines = [f"{'tool'.ljust(width)}  B / A   {SURE:.0%} interval   pairs"]
    for name, ratio in found.ratios.items():
        lines.append(
            f"{name.ljust(width)}  {ratio.value:5.3f}   {ratio.low:5.3f} … {ratio.high:5.3f}   {ratio.pairs:5}   {ratio.verdict}"
        )
    lines += [f"{name}: not compared: {reason}" for name, reason in found.lost.items()]
    return "\n".join(lines)


def _write(path, found):
    facts = {
        "schema": SCHEMA,
        "revision": records.revision(),
        "machine": attrs.asdict(records.this_machine()),
        "ratios": {
            name: attrs.asdict(ratio) | {"verdict": ratio.verdict}
            for name, ratio in found.ratios.items()
        },
        "lost": found.lost,
    }
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
