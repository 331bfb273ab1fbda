"""A repository that names programs wherever git takes one: none of them runs, whatever the sections are called."""

import os
import re

import pytest
import trio
from made import copied, git, looked_at, names_below, repository

from exai_trio.errors import ExaiError
from exai_trio.workspace.git import command

pytestmark = pytest.mark.real

# As they stand in a configuration; "\n" is no newline there, and a newline is a mistake.
NAMES = ("spy", "a=b", 'quo\\"te', "new\\nline", "dot.ted", "sp ace", "ä", "back\\\\slash", "")
# Files that have each for an attribute, as git reads it, where it can be one.
FILES = {
    f"f{number}.txt": re.sub(r"\\(.)", r"\1", name)
    for number, name in enumerate(NAMES)
    if name and " " not in name
}

SETTINGS = {
    "filters": ['[filter "{name}"]', "clean = {spy}", "smudge = {spy}", "required = true"],
    "filter processes": ['[filter "{name}"]', "process = {spy}", "required"],
    "textconv": ['[diff "{name}"]', "textconv = {spy}", "cachetextconv = true"],
    "diff drivers": ['[diff "{name}"]', "command = {spy}"],
    "diff.external": ["[diff]", "external = {spy}", "trustExitCode = true"],
    "merge drivers": ['[merge "{name}"]', "driver = {spy}", "recursive = binary"],
    "aliases": ["[alias]", *(f"{word} = !{{spy}}" for word in ("status", "diff", "config", "check-ignore"))],
    "fsmonitor": ["[core]", "fsmonitor = {spy}", "fsmonitorHookVersion = 2"],
    "fsmonitor daemon": ["[core]", "fsmonitor = true"],
    "hooks": ["[core]", "hooksPath = {hooks}"],
    "pager": ["[core]", "pager = {spy}", "[pager]", "status = {spy}", "diff = {spy}", "config = {spy}"],
    "editor": ["[core]", "editor = {spy}", "[sequence]", "editor = {spy}"],
    "askpass": ["[core]", "askPass = {spy}", "sshCommand = {spy}", "gitProxy = {spy}"],
    "credentials": ["[credential]", "helper = !{spy}", '[credential "{name}"]', "helper = {spy}"],
    "promisor": [
        "[core]", "repositoryformatversion = 1", "[extensions]", "partialClone = {name}",
        '[remote "{name}"]', "url = ext::{spy} %S", "promisor = true", "uploadpack = {spy}", "vcs = spy",
        "[protocol]", "allow = always", '[protocol "ext"]', "allow = always",
    ],
    "urls": ['[url "ext::{spy} "]', "insteadOf = https://", '[remote "origin"]', "url = https://x/"],
    "signatures": ["[gpg]", "program = {spy}", "[log]", "showSignature = true"],
    "submodules": ['[submodule "{name}"]', "update = !{spy}", "active = true", "[submodule]", "recurse = true"],
    "summaries": ["[status]", "submoduleSummary = true", "[diff]", "submodule = log", "ignoreSubmodules = none"],
    "alternate refs": ["[core]", "alternateRefsCommand = {spy}"],
    "maintenance": ["[gc]", "auto = 1", "recentObjectsHook = {spy}", "[maintenance]", "auto = true"],
    "include": ["[include]", "path = {further}"],
    "includeIf": ['[includeIf "gitdir:**"]', "path = {further}"],
    "interactive": ["[interactive]", "diffFilter = {spy}", "[add.interactive]", "useBuiltin = false"],
    "trailers": ['[trailer "{name}"]', "command = {spy}", "cmd = {spy}"],
    "tools": ['[difftool "{name}"]', "cmd = {spy}", "[diff]", "tool = {name}", "guitool = {name}"],
    "behind 400 kB": ["; padding {padding}", *(f"[x{n}]\ny = {'z' * 900}" for n in range(450)),
                      '[filter "{name}"]', "clean = {spy}", "process = {spy}"],
    "behind 5 MB": [*(f"[x{n}]\ny = {'z' * 5_000}" for n in range(1_100)), '[filter "{name}"]', "clean = {spy}"],
    "worktree config": ["[core]", "repositoryformatversion = 1", "[extensions]", "worktreeConfig = true"],
    "twice": ['[filter "{name}"]', "clean =", "required = false", '[filter "{name}"]', "clean = {spy}", "process = {spy}"],
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A repository with a file that is changed, one that is new, and a submodule, all with attributes."""
    place = tmp_path_factory.mktemp("template").resolve()
    source = with_files(repository(place / "source"))
    top = with_files(repository(place / "top"))
    git(top, "submodule", "add", "-q", str(source), "sub")
    git(top, "commit", "-q", "-m", "third")
    for folder in (top, top / "sub"):
        for file in ("a.txt", *FILES):
            (folder / file).write_text("before\nCHANGED\n")
    (top / "new.txt").write_text("NEW\n")
    return top


def with_files(folder):
    for file in FILES:
        (folder / file).write_text("before\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "second")
    return folder


@pytest.fixture
def spy(tmp_path):
    """A program that tells of being run."""
    program = tmp_path / "spy"
    program.write_text(f'#!/bin/sh\necho ran "$0" >> {tmp_path / "trace"}\ncat\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def plant(template, tmp_path, spy):
    """A copy of the repository, its submodule too, with these lines in its configuration for every name."""

    def make(lines):
        top = copied(template, tmp_path.resolve() / "top")
        hooks, further = tmp_path / "hooks", tmp_path / "further"
        hooks.mkdir()
        for hook in (
            "post-index-change",
            "fsmonitor-watchman",
            "pre-commit",
            "reference-transaction",
        ):
            (hooks / hook).symlink_to(spy)
            (top / ".git/hooks" / hook).symlink_to(spy)
        words = {"spy": spy, "hooks": hooks, "further": further, "padding": "x" * 1_000}
        text = "".join(
            "\n".join(line.format(name=name, **words) for line in lines) + "\n" for name in NAMES
        )
        further.write_text(
            f'[filter "spy"]\nclean = {spy}\nprocess = {spy}\n[core]\nfsmonitor = {spy}\n'
        )
        for config in (top / ".git/config", top / ".git/modules/sub/config"):
            with config.open("a") as opened:
                opened.write(text)
        (top / ".git/config.worktree").write_text(further.read_text())
        for folder in (top, top / "sub"):
            attributes = (f"{file} filter={n} diff={n} merge={n}\n" for file, n in FILES.items())
            (folder / ".gitattributes").write_text("".join(attributes))
        return top

    return make


async def everything(bench, top, path=None):
    """All that EXAI asks git about a repository, and of the submodule in it."""
    try:
        await looked_at(bench, path or top, top, compare_to="HEAD~1")
    except ExaiError:
        assert not bench.gateway.requests
    return await trio.to_thread.run_sync(names_below, top)


IN_SUBMODULE = ("twice", "filter processes")  # looked at from there


@pytest.mark.parametrize("form", SETTINGS)
async def test_a_program_that_a_repository_names_is_not_run(bench, plant, tmp_path, form):
    """By any setting, under any name, behind any amount of others; the files of the directory are given all the same."""
    top = plant(SETTINGS[form])
    files = await everything(bench, top, top / "sub" if form in IN_SUBMODULE else top)

    assert not (tmp_path / "trace").exists()
    assert {"a.txt", "new.txt", "sub/a.txt"} <= set(files)


async def test_the_spies_would_be_run(plant, tmp_path):
    """A git without bolts does run them."""
    top = plant(SETTINGS["filters"])
    environ = {"PATH": os.defpath, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    git(top, "diff", environ=environ)

    assert "ran" in (tmp_path / "trace").read_text()


async def test_a_filter_that_is_not_run_is_named_with_its_files(bench, template, tmp_path, spy):
    """The agent and the expert are told of which files the difference may be the filter's."""
    top = copied(template, tmp_path.resolve() / "top")
    git(top, "config", "filter.a=b.clean", str(spy))
    (top / ".gitattributes").write_text("a.txt filter=a=b\n*.c filter=a=b\nnew.txt filter=other\n")
    told, asked = await looked_at(bench, top)

    assert told["filters_not_run"] == {"a=b": ["a.txt"]}
    assert "filter a=b is not run: what differs in a.txt" in asked
    assert "+CHANGED" in asked


async def test_the_users_filters_are_not_run_either(bench, template, tmp_path, spy, home):
    """A program of the user's own, such as git-lfs, would be run on a stranger's word and read a stranger's settings."""
    top = copied(template, tmp_path.resolve() / "top")
    (home / ".gitconfig").write_text(
        f'[filter "lfs"]\nclean = {spy}\nprocess = {spy}\nrequired = true\n'
    )
    (top / ".gitattributes").write_text("a.txt filter=lfs\n")
    told, _ = await looked_at(bench, top)

    assert told["filters_not_run"] == {"lfs": ["a.txt"]}
    assert not (tmp_path / "trace").exists()


async def test_a_configuration_that_is_too_long_to_know_is_refused(bench, plant):
    """What was read only in part is not taken for all."""
    with pytest.raises(ExaiError, match="git config prints more than 4,194,304 bytes"):
        await looked_at(bench, plant(SETTINGS["behind 5 MB"]))


@pytest.mark.parametrize(
    "line", ['[filter "a\nb"]', "[core", "[core]\n\tautocrlf = perhaps", "[core]\nrepositoryformatversion = 99", "\0",
             "[core]\nrepositoryformatversion = 1\n[extensions]\nfuture = 1",
             '[extensions]\nobjectFormat = "sha1\\n[core]\\nfsmonitor = x"']
)  # fmt: skip
async def test_a_configuration_that_git_would_not_take_is_refused(bench, template, tmp_path, line):
    """A newline in a name, a bracket that is missing, a value that is none, a format of the future: the user's git refuses it too."""
    top = copied(template, tmp_path.resolve() / "top")
    with (top / ".git/config").open("a") as config:
        config.write(f"{line}\n")
    with pytest.raises(ExaiError):
        await looked_at(bench, top)

    assert not bench.gateway.requests


@pytest.mark.parametrize("name", ["a=b.c", 'quo"te', "new\nline", "ä ö"])
def test_settings_are_handed_in_whatever_is_in_their_names(name, tmp_path):
    """A name reaches git as it is, or git refuses it; it never becomes another name."""
    environ = command.environment([(f"filter.{name}.clean", "x=y")], {"GIT_DIR": os.devnull})
    said = git(
        tmp_path, "config", "--default", "", f"filter.{name}.clean", environ=environ, check=False
    )

    assert said == ("" if "\n" in name else "x=y\n")


async def test_git_gets_nothing_of_the_daemons_environment(bench, template, tmp_path, monkeypatch):
    """No key, no token, and no variable by which git could be told to run or write something."""
    seen = tmp_path / "seen"
    wrapper = tmp_path / "git"
    wrapper.write_text(f'#!/bin/sh\nenv >> {seen}\nexec git "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(command, "program", lambda: str(wrapper))
    for name in ("GLM_API_KEY", "EXAI_WS_TOKEN", "GIT_TRACE", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_PARAMETERS",
                 "GIT_SSH", "GIT_EXEC_PATH", "GIT_INDEX_FILE", "LD_PRELOAD_X", "GIT_TRACE2_EVENT"):  # fmt: skip
        monkeypatch.setenv(name, f"SECRET-{name}")
    top = copied(template, tmp_path.resolve() / "top")
    await everything(bench, top)

    assert "SECRET" not in seen.read_text()
