"""Repositories of every form that git itself makes: precommit shows what the user's own git shows."""

import os
import shutil

import pytest
from made import NOBODYS, copied, git, looked_at, repository

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Three files, two commits, a branch and a tag."""
    top = repository(tmp_path_factory.mktemp("template").resolve() / "top", "one\ntwo\n")
    (top / "part").mkdir()
    (top / "part/b.txt").write_text("one\n")
    (top / "c.sh").write_text("exit\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "second")
    git(top, "branch", "fix/#123-crash", "HEAD~1")
    return top


@pytest.fixture
def place(template, tmp_path):
    """A directory with a copy of it, in the way of nothing else."""
    copied(template, tmp_path.resolve() / "top")
    return tmp_path.resolve()


def change(top):
    """One line more in a file, another file staged, a new one."""
    with (top / "a.txt").open("a") as opened:
        opened.write("CHANGED\n")
    (top / "new.txt").write_text("NEW\n")
    return top


def plain(place, home):
    top = change(place / "top")
    (top / "part/b.txt").write_text("STAGED\n")
    git(top, "add", "part")
    return top


def no_commits(place, home):
    git(place, "init", "-q", "-b", "main", "fresh")
    (place / "fresh/a.txt").write_text("one\n")
    git(place / "fresh", "add", ".")
    return change(place / "fresh")


def nothing_at_all(place, home):
    git(place, "init", "-q", "-b", "main", "fresh")
    return place / "fresh"


def detached(place, home):
    git(place / "top", "checkout", "-q", "HEAD~1")
    return change(place / "top")


def odd_branch(place, home):
    git(place / "top", "checkout", "-q", "fix/#123-crash")
    return change(place / "top")


def subdirectory(place, home):
    top = plain(place, home)
    (top / "part/new.txt").write_text("NEW\n")
    return top / "part"


def further_tree(place, home):
    git(place / "top", "worktree", "add", "-q", "-b", "tree", str(place / "tree"))
    return change(place / "tree")


def further_tree_with_relative_links(place, home):
    """As newer gits write them."""
    tree, store = further_tree(place, home), place / "top/.git/worktrees/tree"
    (tree / ".git").write_text("gitdir: ../top/.git/worktrees/tree\n")
    (store / "gitdir").write_text("../../../../tree/.git\n")
    return tree


def tree_of_a_bare_repository(place, home):
    git(place, "clone", "-q", "--bare", str(place / "top"), "bare.git")
    git(place / "bare.git", "worktree", "add", "-q", str(place / "tree"), "main")
    return change(place / "tree")


def locked_tree(place, home):
    git(place / "top", "worktree", "add", "-q", "--lock", "--detach", str(place / "tree"))
    return change(place / "tree")


def submodule(place, home):
    outer = repository(place / "outer")
    git(outer, "submodule", "add", "-q", str(place / "top"), "sub")
    return change(outer / "sub")


def submodule_in_a_submodule(place, home):
    outer = repository(place / "outest")
    submodule(place, home)
    git(place / "outer", "commit", "-q", "-m", "sub")
    git(outer, "submodule", "add", "-q", str(place / "outer"), "outer")
    git(outer, "submodule", "update", "-q", "--init", "--recursive")
    return change(outer / "outer/sub")


def around_a_submodule(place, home):
    change(submodule(place, home))
    git(place / "outer/sub", "-c", "user.name=a", "commit", "-q", "-a", "-m", "more")
    return change(place / "outer")


def submodule_of_a_further_tree(place, home):
    submodule(place, home)
    git(place / "outer", "commit", "-q", "-m", "sub")
    git(place / "outer", "worktree", "add", "-q", str(place / "tree"))
    git(place / "tree", "submodule", "update", "-q", "--init")
    return change(place / "tree/sub")


def separate_git_dir(place, home):
    git(place, "init", "-q", "--separate-git-dir", str(place / "store.git"), str(place / "top"))
    return change(place / "top")


def separate_git_dir_of_a_clone(place, home):
    git(place, "clone", "-q", "--separate-git-dir", str(place / "store"), str(place / "top"), "two")
    return change(place / "two")


def git_dir_behind_a_link(place, home):
    (place / "top/.git").rename(place / "store")
    (place / "top/.git").symlink_to(place / "store")
    return change(place / "top")


def separate_git_dir_with_sha256(place, home):
    git(place, "init", "-q", "--object-format=sha256", "--separate-git-dir", str(place / "s"), "n")
    (place / "n/a.txt").write_text("one\n")
    git(place / "n", "add", ".")
    return change(place / "n")


def shallow(place, home):
    git(place, "clone", "-q", "--depth=1", f"file://{place}/top", "two")
    return change(place / "two")


def partial(place, home):
    git(place / "top", "config", "uploadpack.allowFilter", "true")
    git(place, "clone", "-q", "--filter=blob:none", f"file://{place}/top", "two")
    return change(place / "two")


def sparse(*options):
    def make(place, home):
        git(place / "top", "sparse-checkout", "set", *options, "part")
        (place / "top/part/b.txt").write_text("one\nCHANGED\n")
        return place / "top"

    return make


def configured(*settings):
    """A setting of the repository that changes how it is kept; then everything is written anew."""

    def make(place, home):
        for name, value in settings:
            git(place / "top", "config", name, value)
        git(place / "top", "update-index", "--force-write-index")
        git(place / "top", "status")
        return plain(place, home)

    return make


def split_index(place, home):
    git(place / "top", "update-index", "--split-index")
    (place / "top/d.txt").write_text("more\n")
    git(place / "top", "add", "d.txt")
    return plain(place, home)


def sha256(place, home):
    git(place, "init", "-q", "-b", "main", "--object-format=sha256", "n")
    (place / "n/a.txt").write_text("one\n")
    git(place / "n", "add", ".")
    git(place / "n", "commit", "-q", "-m", "first")
    return change(place / "n")


def packed(place, home):
    git(place / "top", "gc", "-q")
    return plain(place, home)


def user(text, then=plain):
    """The user's own configuration."""

    def make(place, home):
        (home / ".gitconfig").write_text(text.format(home=home, place=place))
        return then(place, home)

    return make


def crlf(place, home):
    """CRLF in the work tree, LF in the index; one file changed, one only touched."""
    top = place / "top"
    (top / "a.txt").write_bytes(b"".join(b"line %d\r\n" % n for n in range(50)))
    (top / "b.txt").write_bytes(b"same\r\n" * 30)
    for words in (("add", "."), ("commit", "-q", "-m", "third")):
        git(top, *words, environ={**NOBODYS, "HOME": str(home), "GIT_CONFIG_GLOBAL": users(home)})
    (top / "a.txt").write_bytes((top / "a.txt").read_bytes().replace(b"line 7\r", b"SEVEN\r"))
    os.utime(top / "b.txt", (1, 1))
    return top


def users(home):
    files = (home / ".gitconfig", home / ".config/git/config")
    return str(next((file for file in files if file.exists()), os.devnull))


def attributes(text, content, changed):
    def make(place, home):
        (place / "top/.gitattributes").write_text(text)
        (place / "top/d.txt").write_bytes(content)
        git(place / "top", "add", ".")
        git(place / "top", "commit", "-q", "-m", "third")
        (place / "top/d.txt").write_bytes(changed)
        os.utime(place / "top/d.txt", (1, 1))
        return place / "top"

    return make


def attributes_of_the_repository(place, home):
    (place / "top/.git/info/attributes").write_text("*.txt text eol=crlf\n")
    return crlf(place, home)


def settings_in_the_xdg_directory(place, home):
    (home / ".config/git").mkdir(parents=True)
    (home / ".config/git/config").write_text("[core]\n\tautocrlf = true\n")
    return crlf(place, home)


def settings_of_the_work_tree(place, home):
    git(place / "top", "config", "extensions.worktreeConfig", "true")
    git(place / "top", "config", "--worktree", "core.autocrlf", "true")
    return crlf(place, home)


def another_owner(place, home):
    (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    top = change(place / "top")
    for path in (top, *top.rglob("*")):
        os.chown(path, 1234, 1234)
    return top


def merging(place, home):
    top = place / "top"
    git(top, "checkout", "-q", "-b", "side")
    for branch in ("side", "main"):
        git(top, "checkout", "-q", branch)
        (top / "a.txt").write_text(f"{branch}\n")
        git(top, "commit", "-q", "-a", "-m", branch)
    git(top, "merge", "-q", "side", check=False)
    return top


def moved_and_gone(place, home):
    top = place / "top"
    git(top, "mv", "a.txt", "moved to.txt")
    (top / "c.sh").unlink()
    (top / "part/b.txt").unlink()
    (top / "part/b.txt").symlink_to("/etc/hostname")
    return top


def odd_names(place, home):
    top = place / "top"
    for name in ("a b", 'quo"te', "new\nline", "tab\t", "ä", ":(top)x", "-x", "b/x", "*"):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text("one\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "odd")
    for name in ("a b", 'quo"te', "new\nline", "tab\t", "ä", ":(top)x", "-x", "b/x", "*"):
        (top / name).write_text("one\nCHANGED\n")
    return top


def only_touched(place, home):
    for name in ("a.txt", "c.sh", "part/b.txt"):
        os.utime(place / "top" / name, (1, 1))
    return place / "top"


def copied_elsewhere(place, home):
    """All times and inodes are new, as in a mounted volume."""
    shutil.copytree(place / "top", place / "two", copy_function=shutil.copyfile)
    return change(place / "two")


def to_be_added(place, home):
    top = change(place / "top")
    git(top, "add", "-N", "new.txt")
    git(top, "update-index", "--assume-unchanged", "c.sh")
    (top / "c.sh").write_text("HIDDEN\n")
    return top


def followed(place, home):
    git(place, "clone", "-q", str(place / "top"), "two")
    git(place / "two", "commit", "-q", "--allow-empty", "-m", "more")
    return change(place / "two")


def executable(place, home):
    (place / "top/c.sh").chmod(0o755)
    return place / "top"


def a_path_below_home(place, home):
    git(place / "top", "config", "core.excludesFile", "~/.gitignore_x")
    return change(place / "top")


def rules_below_home(place, home):
    (home / "x").write_text("new.txt\n")
    git(place / "top", "config", "core.excludesFile", "~/x")
    return change(place / "top")


def rules_of_the_repository(place, home):
    (place / "top/.git/info/exclude").write_text("new.txt\n")
    return change(place / "top")


AUTOCRLF = "[core]\n\tautocrlf = {}\n"
CRLF, ONCE = b"one\r\ntwo\r\n", b"one\r\ntwo\r\nCHANGED\r\n"
FORMS = {
    form.__name__: form
    for form in (
        *(plain, no_commits, nothing_at_all, detached, odd_branch, subdirectory, packed, sha256),
        *(further_tree, further_tree_with_relative_links, tree_of_a_bare_repository, locked_tree),
        *(submodule, submodule_in_a_submodule, around_a_submodule, submodule_of_a_further_tree),
        *(separate_git_dir, separate_git_dir_of_a_clone, separate_git_dir_with_sha256),
        *(git_dir_behind_a_link, shallow, partial, split_index, another_owner, merging, followed),
        *(moved_and_gone, odd_names, only_touched, copied_elsewhere, to_be_added, executable),
        *(a_path_below_home, rules_below_home, rules_of_the_repository, settings_of_the_work_tree),
        *(attributes_of_the_repository, settings_in_the_xdg_directory),
    )
} | {
    "sparse": sparse("--cone"),
    "sparse by patterns": sparse("--no-cone"),
    "sparse index": sparse("--cone", "--sparse-index"),
    "index of version 4": configured(("index.version", "4")),
    "many files": configured(("feature.manyFiles", "true")),
    "no file modes": lambda place, home: executable(configured(("core.fileMode", "false"))(place, home).parent, home),
    "autocrlf": user(AUTOCRLF.format("true"), crlf),
    "autocrlf input": user(AUTOCRLF.format("input"), crlf),
    "eol": user("[core]\n\teol = crlf\n", attributes("* text=auto\n", b"one\n", CRLF)),
    "autocrlf by includeIf": user('[includeIf "gitdir:{place}/top/"]\n\tpath = more\n', lambda place, home: (
        (home / "more").write_text(AUTOCRLF.format("true")), crlf(place, home))[1]),
    "attributes of the user": user("[core]\n\tattributesFile = ~/attributes\n", lambda place, home: (
        (home / "attributes").write_text("*.txt text eol=crlf\n"), crlf(place, home))[1]),
    "text attributes": attributes("*.txt text eol=crlf\n", CRLF, ONCE),
    "ident": attributes("*.txt ident\n", b"$Id$\none\n", b"$Id: abc $\none\nCHANGED\n"),
    "UTF-16": attributes("d.txt working-tree-encoding=UTF-16\n", "one\n".encode("utf-16"), "one\nCHANGED ä\n".encode("utf-16")),
    "renames and algorithms": user("[diff]\n\trenames = false\n\talgorithm = histogram\n\tcontext = 1\n", moved_and_gone),
    "programs of the user": user("[diff]\n\texternal = false\n[core]\n\tpager = false\n\tfsmonitor = false\n[alias]\n\tst = status\n"),
}  # fmt: skip


def as_user(top, home, *words):
    """What the user's own git says there."""
    environ = {**NOBODYS, "HOME": str(home), "GIT_OPTIONAL_LOCKS": "0"}
    del environ["GIT_CONFIG_GLOBAL"]
    return git(top, "-c", "core.quotePath=false", *words, environ=environ)


@pytest.mark.parametrize("form", FORMS)
async def test_a_repository_is_shown_as_the_users_git_shows_it(bench, place, home, form):
    """The same files, the same differences, and the content of what is new; only the directory itself is an allowed root."""
    top = FORMS[form](place, home)
    said = as_user(
        top, home, "status", "--porcelain", "-z", "-uall", "--ignore-submodules=dirty", "--", "."
    )
    diff = as_user(
        top, home, "diff", "--no-ext-diff", "--ignore-submodules=dirty", "--relative", "--", "."
    )
    staged = as_user(top, home, "diff", "--no-ext-diff", "--cached", "--relative", "--", ".")
    before = sorted((top / ".git").iterdir()) if (top / ".git").is_dir() else []
    told, asked = await looked_at(bench, top)

    assert sum(line[:2] in said for line in told["changed"]) == len(told["changed"])
    assert said.count("\0") - sum("->" in line for line in told["changed"]) == len(told["changed"])
    assert diff.rstrip("\n") in asked
    assert staged.rstrip("\n") in asked
    assert asked.count("\nNEW\n") == ("?? new.txt" in told["changed"])
    assert "filters_not_run" not in told
    assert before == (sorted((top / ".git").iterdir()) if before else [])


async def test_a_repository_of_another_form_of_git_says_so(bench, place):
    """What this git cannot read, such as refs in a newer form, is refused in git's words."""
    git(place / "top", "config", "core.repositoryFormatVersion", "1")
    git(place / "top", "config", "extensions.refStorage", "of-the-future")
    with pytest.raises(Exception, match=r"refstorage|ref storage"):
        await looked_at(bench, place / "top")
