"""A directory that is given to a tool: what git leaves out is left out, whatever its rules look like."""

import os
import random
import subprocess

import pytest
import trio
from made import git, names_below, repository

from exai_trio.workspace import directories
from exai_trio.workspace.git import command

pytestmark = pytest.mark.real

FILES = (
    *("a", "b", "c", "ab", "a b", "a ", ".env", "key.pem", "!", "#x", "a*", "[ab]", "é", "A"),
    *("u\u2028v", "v\x0bw", "w\x0cx", "back\\slash", "x/a", "x/ab", "x/y/a.b", "z/key.pem"),
)
TOKENS = (
    *("*", "**", "?", "/", "**/", "/**", "[a-c]", "[!a]", "[^a]", "[[:alpha:]]", "[z-a]", "[", "]"),
    *("[a", "[]a]", "[[:nope:]]", "\\", "\\/", "\\ ", "!", "#", " ", "\t", "\r", "\x0b", "\x0c"),
    *("\u2028", "é", "a", "b", "x", "y", ".b", ".env", "key", ".pem", "u", "v", "w", "{a,b}"),
)
WHOLE = (
    b"\xef\xbb\xbf.env\n*.pem\n", b".env\n!\n*.pem\n", b".env\n[z-a]\n*.pem\n", b".env\na\\\n*.pem\n",
    b".env\0x\n*.pem\n", b"a\x0b\n.env\r\n*.pem\r\n", b"\xff\xfe\n.env\n", b"#" * 300_000 + b"\n.env\n",
    b"[[:alpha:]]\n", b"x\\/a\n", b"/x/\n!/x/a\n", b"*\n!*/\n!a\n", b"u\xe2\x80\xa8v\n", b"!", b"\\", b"", b"\n" * 9,
)  # fmt: skip


def rules(count, seed):
    """Files of rules: a line or two of anything, and one that is plain."""
    dice = random.Random(seed)  # noqa: S311  # the same at each run
    for _ in range(count):
        lines = ["".join(dice.choices(TOKENS, k=dice.randint(1, 5))) for _ in range(2)]
        yield ("\n".join([*lines[: dice.randint(1, 2)], "*.pem"]) + "\n").encode()


def gitignored(folder, *tracked):
    """What git shows of a directory, asked as a user would."""
    shown = git(folder, "ls-files", "-z", "--others", "--exclude-standard", *tracked).split("\0")
    return sorted(filter(None, shown))


async def given(folder, *roots):
    return sorted(await trio.to_thread.run_sync(names_below, folder, *roots))


@pytest.fixture
def plant(tmp_path):
    """Makes a directory with files and rules."""

    def make(name, content, files=FILES):
        folder = tmp_path.resolve() / name
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(b"")
        (folder / ".gitignore").write_bytes(content)
        return folder

    return make


async def test_two_hundred_files_of_rules_are_read_as_git_reads_them(plant, tmp_path, monkeypatch):
    """The files of a directory are those that git shows, for any rules, in a repository and in none."""
    monkeypatch.setattr(directories, "MOST_FILES", 100_000)
    for number, content in enumerate([*WHOLE, *rules(200, seed=20261129)]):
        plant(f"all/p{number:03}", content)
    everything = tmp_path.resolve() / "all"
    outside = await given(everything)
    git(everything, "init", "-q")
    inside = await given(everything)

    assert gitignored(everything) == inside
    assert outside == inside
    assert 1_000 < len(inside) < 217 * len(FILES)


@pytest.mark.parametrize("content", WHOLE[:4])
@pytest.mark.parametrize("without", ["git", "nothing"])
async def test_a_line_that_means_nothing_costs_that_line(plant, monkeypatch, without, content):
    """A BOM, a lone "!", a reversed range, a last backslash: the other lines hold, with git and without it."""
    if without == "git":
        monkeypatch.setattr(command, "program", lambda: None)
    folder = plant("project", content, (".env", "key.pem", "main.py"))

    assert [".gitignore", "main.py"] == await given(folder)


async def test_rules_outside_gitignore_count(plant, home):
    """.git/info/exclude, and core.excludesFile of the user or of the repository, leave out what they leave out for git."""
    folder = plant("project", b"", ("excluded", "users", "own", "main.py"))
    (home / "ignore").write_text("users\n")
    (home / "own").write_text("own\n")
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/ignore\n")
    git(folder, "init", "-q")
    (folder / ".git/info/exclude").write_text("excluded\n")

    assert [".gitignore", "main.py", "own"] == await given(folder)
    git(folder, "config", "core.excludesFile", "~/own")
    assert [".gitignore", "main.py", "users"] == await given(folder)


async def test_the_users_usual_file_of_rules_counts(plant, home):
    """Without core.excludesFile, git reads .config/git/ignore, also for a directory in no repository."""
    folder = plant("project", b"", ("users", "main.py"))
    (home / ".config/git").mkdir(parents=True)
    (home / ".config/git/ignore").write_text("users\n")

    assert [".gitignore", "main.py"] == await given(folder)


async def test_what_is_tracked_is_not_left_out(plant):
    """A rule speaks of untracked files only: one that was added all the same is read, its neighbour is not."""
    folder = plant("project", b"build/\n*.log\n", ("build/kept", "build/made", "x.log", "y.log"))
    git(folder, "init", "-q")
    git(folder, "add", "-f", "build/kept", "x.log")

    assert [".gitignore", "build/kept", "x.log"] == await given(folder)


async def test_names_that_are_patterns_are_names(plant):
    """A name with glob characters, or one that begins with a colon, is asked about as it is."""
    odd = ("*.env", "[x]", ":(top)y", "-q", "\\", "new\nline", "t\tab")
    folder = plant("project", b"\\*.env\n\\[x]\n:(top)y\n-q\n\\\\\nnew*\nt?ab\n", (*odd, "a.env"))
    git(folder, "init", "-q")
    git(folder, "add", "-f", "a.env")

    assert [".gitignore", "a.env"] == await given(folder)


async def test_a_repository_in_a_directory_has_rules_of_its_own(plant, tmp_path):
    """Each of several repositories below a directory leaves out what its own git does."""
    for name in ("one", "two"):
        folder = plant(f"all/{name}", b"", ("mine", "yours"))
        git(folder, "init", "-q")
    (tmp_path / "all/one/.git/info/exclude").write_text("mine\n")
    (tmp_path / "all/two/.git/info/exclude").write_text("yours\n")
    found = await given(tmp_path.resolve() / "all")

    assert ["one/.gitignore", "one/yours", "two/.gitignore", "two/mine"] == found


async def test_a_submodule_has_rules_of_its_own(plant, tmp_path):
    """Also where the directory around it is a repository that knows it."""
    source = repository(tmp_path.resolve() / "source")
    outer = repository(tmp_path.resolve() / "outer")
    git(outer, "submodule", "add", "-q", str(source), "sub")
    (outer / "sub/left_out").write_text("")
    (outer / ".git/modules/sub/info/exclude").write_text("left_out\n")

    assert [".gitmodules", "a.txt", "sub/a.txt"] == await given(outer)


async def test_a_rule_that_never_ends_is_refused(plant, tmp_path, monkeypatch):
    """A git that does not say in time what is left out: nothing is given rather than all of it."""
    slow = tmp_path / "git"
    slow.write_text(
        '#!/bin/sh\ncase "$*" in *check-ignore*) exec sleep 100;; esac\nexec git "$@"\n'
    )
    slow.chmod(0o755)
    monkeypatch.setattr(command, "program", lambda: str(slow))
    monkeypatch.setattr(command, "MOST_S", 0.3)
    with pytest.raises(command.TooSlowGit):
        await given(plant("project", b".env\n"))


async def test_a_git_that_dies_leaves_the_library(plant, tmp_path, monkeypatch):
    """A git that fails is no reason to give what is left out."""
    broken = tmp_path / "git"
    broken.write_text('#!/bin/sh\ncase "$*" in *check-ignore*) exit 1;; esac\nexec git "$@"\n')
    broken.chmod(0o755)
    monkeypatch.setattr(command, "program", lambda: str(broken))

    assert [".gitignore", "main.py"] == await given(plant("p", b".env\n", (".env", "main.py")))


async def test_a_long_rule_costs_no_memory(plant):
    """A rule of megabytes, which git repeats for every file that it leaves out, is not kept."""
    names = tuple(f"f{number}" for number in range(60))
    folder = plant(
        "project", b"f*" + b"/../f*" * 200_000 + b"\nf" + b"*" * 1_000_000 + b"\n", names
    )

    assert [".gitignore"] == await given(folder)


async def test_a_git_that_lies_in_the_directory_is_not_run(plant, tmp_path, monkeypatch):
    """PATH may name places relative to where one stands; there a stranger's git would lie."""
    folder = plant("project", b".env\n", (".env", "main.py"))
    ran = tmp_path / "ran"
    (folder / "git").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.chdir(folder)
    for path in (".", "", f".:{os.defpath}", f":{os.defpath}"):
        monkeypatch.setenv("PATH", path)
        assert [".gitignore", "git", "main.py"] == await given(folder)

    assert not ran.exists()


async def test_git_is_not_left_running(plant, monkeypatch):
    """Every git that was asked has ended when the answer is there."""
    started = []
    popen = subprocess.Popen

    class Noted(popen):
        def __init__(self, *words, **how):
            super().__init__(*words, **how)
            started.append(self)

    monkeypatch.setattr(command.subprocess, "Popen", Noted)
    monkeypatch.setattr(directories, "MOST_FILES", 2)
    await given(plant("project", b".env\n"))

    assert started
    assert all(process.returncode is not None for process in started)
