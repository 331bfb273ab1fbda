"""Repositories that git itself makes, and a precommit that looks at them."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from exai_trio.workspace import directories

WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "a"), ("EMAIL", "a@example.org"))
}
NOBODYS = {
    "PATH": os.defpath,
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file",
    **WHO,
}


def git(folder, *words, environ=NOBODYS, check=True):
    """What git prints there, run as a user would."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        check=check,
        capture_output=True,
        env=environ,
    )
    return done.stdout.decode(errors="replace")


def repository(folder, text="before\n"):
    """One commit with one file, a.txt."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def copied(template, to):
    shutil.copytree(template, to, symlinks=True)
    return to


def load_bench():
    """The bench of the tools' tests."""
    file = Path(__file__).parents[2] / "tools" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tools_bench", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Bench()


async def looked_at(bench, path, *roots, **arguments):
    """What the agent is told and what the expert is asked, by a precommit of that directory."""
    bench.caller.roots = roots or (path,)
    bench.gateway.requests.clear()
    told = await bench.step("precommit", 1, 1, path=str(path), **arguments)
    return told["precommit_status"]["git"], bench.gateway.requests[-1].messages[-1].text


def names_below(folder, *roots):
    """The files that a directory gives, by their names in it. For threads that trio has started."""
    found = directories.expand(folder, roots or (folder,))
    return [os.path.relpath(path, folder) for path in found.files]
