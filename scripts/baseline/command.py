"""The command line of the baselines, and the exit codes. Nothing is measured here."""

import sys
from pathlib import Path

from . import records
from .words import LARGEST, Parser, address, file, number, whole
from .wrong import Wrong

ABOUT = "Baselines of every tool, measured through the daemon's WebSocket."


def main(words=None):
    """Exit codes: 0 everything that was asked for was measured, 1 something was not, 2 wrong usage."""
    try:
        asked = parser().parse_args(words)
        code = asked.act(asked)
    except Wrong as fault:
        print(f"baseline: {fault}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)


def parser():
    top = Parser(prog="scripts/baseline.py", description=ABOUT)
    actions = top.add_subparsers(required=True, metavar="ACTION")
    for add in (_collect, _compare, _since, _watch, _versus, _sql):
        add(actions)
    return top


def _collect(actions):
    command = actions.add_parser("collect", help="measure every tool, or those that are named")
    command.add_argument("--tools", metavar="a,b", help="only these")
    command.add_argument(
        "--runs", type=whole(1), metavar="N", help="of each tool; else as it is defined"
    )
    command.add_argument(
        "--json", type=file, metavar="FILE", help="write the baseline to this file"
    )
    _money(command)
    command.add_argument(
        "--delay",
        type=number(0, 60),
        default=0.0,
        metavar="S",
        help="of each answer of the simulator",
    )
    command.add_argument("--definitions", type=Path, metavar="FILE", help="in place of our own")
    _daemon(command)
    _store(command)
    command.set_defaults(act=_act_collect)


def _act_collect(asked):
    from .collect import collected, plan_of
    from .figures import table

    plan = plan_of(asked)
    baseline = collected(plan, asked.url, asked.home)
    print(table(baseline, plan.chosen))
    _keep(asked, baseline)
    return 1 if baseline.skipped or any(not run.ok for run in baseline.runs) else 0


def _compare(actions):
    command = actions.add_parser(
        "compare", help="two commits by turns, or two files: the ratio of medians, per tool"
    )
    command.add_argument(
        "a", metavar="A", help="a file of collect or watch, a commit, or . for this tree"
    )
    command.add_argument("b", metavar="B")
    command.add_argument("--tools", metavar="a,b", help="only these")
    command.add_argument(
        "--runs",
        type=whole(2),
        default=30,
        metavar="N",
        help="of each tool on each side; 30 if not given",
    )
    command.add_argument("--json", type=file, metavar="FILE", help="write the ratios to this file")
    command.add_argument(
        "--check",
        type=number(0, LARGEST, above=True),
        metavar="RATIO",
        help="exit 1 if a tool is slower than so, surely",
    )
    command.set_defaults(act=_act_compare)


def _act_compare(asked):
    from .compare import compared

    return compared(asked)


def _since(actions):
    command = actions.add_parser(
        "since", help="this tree beside the commit of .ci/baseline, as CI does it"
    )
    command.add_argument("commit", metavar="COMMIT", nargs="?", help="in place of that")
    command.set_defaults(act=_act_since)


def _act_since(asked):
    from .since import checked

    return checked(asked.commit)


def _watch(actions):
    command = actions.add_parser("watch", help="the calls that a running daemon has had")
    command.add_argument(
        "--hours",
        type=number(0, LARGEST, above=True),
        default=24.0,
        metavar="N",
        help="looks back so far; 24 if not given",
    )
    command.add_argument(
        "--json", type=file, metavar="FILE", help="write the baseline to this file"
    )
    _store(command)
    command.set_defaults(act=_act_watch)


def _act_watch(asked):
    from .figures import table
    from .watch import watched

    baseline = watched(asked.home, asked.hours)
    print(table(baseline, ()))
    _keep(asked, baseline)
    return 0


def _versus(actions):
    command = actions.add_parser(
        "versus", help="two providers or models: the same prompts by turns"
    )
    command.add_argument("a", metavar="A", help="such as glm, or a model's name")
    command.add_argument("b", metavar="B", help="such as kimi")
    command.add_argument(
        "--prompts", type=whole(2), default=40, metavar="N", help="40 if not given"
    )
    command.add_argument(
        "--at-once",
        default="1,8",
        metavar="1,8",
        help="calls at the same time, one measurement each",
    )
    command.add_argument(
        "--tokens", type=whole(1), default=40, metavar="N", help="of an answer of the simulator"
    )
    command.add_argument(
        "--plant", action="append", default=[], metavar="'SIDE KEY=VALUE …'",
        help="what the simulator is to do wrong: delay and spread in seconds, faults and cached as shares",
    )  # fmt: skip
    command.add_argument(
        "--cached",
        type=number(0, 1),
        default=0.0,
        metavar="SHARE",
        help="of the prompts that begin as others did",
    )
    command.add_argument(
        "--seed", type=number(kind=int), metavar="N", help="of the order and of what is planted"
    )
    command.add_argument("--json", type=file, metavar="FILE", help="write the figures to this file")
    _money(command)
    command.set_defaults(act=_act_versus)


def _act_versus(asked):
    from .versus import contest

    return contest(asked)


def _sql(actions):
    command = actions.add_parser(
        "sql", help="one of the shipped queries over the calls that were kept"
    )
    command.add_argument("name", metavar="NAME", nargs="?", help="without one: which there are")
    command.add_argument(
        "--days",
        type=number(0, LARGEST, above=True),
        default=30.0,
        metavar="N",
        help="looks back so far; 30 if not given",
    )
    command.add_argument(
        "--database", metavar="FILE|URL", help="in place of the home's; postgresql://… asks psql"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    _store(command)
    command.set_defaults(act=_act_sql)


def _act_sql(asked):
    from .sql import queried

    return queried(asked)


def _money(command):
    command.add_argument("--live", action="store_true", help="ask real models: costs money")
    command.add_argument(
        "--budget",
        type=number(0, LARGEST),
        metavar="MONEY",
        help="what a live run may cost at most",
    )
    command.add_argument(
        "--unpriced", action="store_true", help="ask models too whose price is not known"
    )


def _daemon(command):
    command.add_argument(
        "--url",
        type=address,
        metavar="URL",
        help="of a daemon that runs; else one of our own is started",
    )


def _store(command):
    command.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="EXAI_HOME of the daemon; the baseline is kept there too",
    )


def _keep(asked, baseline):
    """In the file that was asked for, and in the store of a home that was named."""
    from .store import keep

    if asked.json is not None:
        records.write(asked.json, baseline)
    keep(asked.home, baseline)
