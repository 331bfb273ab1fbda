"""A repository whose parts lead out of the allowed roots: refused, or shown without them. Nothing from outside reaches a model."""

import os
import shutil

import pytest
import trio
from made import copied, git, looked_at, repository

from exai_trio.errors import ExaiError

pytestmark = pytest.mark.real

CANARY = "CANARY-OF-THE-OTHERS"


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """Another's repository, with canaries in all that it holds, and a stranger's, which is to be opened."""
    place = tmp_path_factory.mktemp("templates").resolve()
    other = repository(place / "other", f"{CANARY}\n")
    (other / "src").mkdir()
    (other / "src" / f"{CANARY}.txt").write_text(f"{CANARY}\n")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", CANARY)
    git(other, "branch", CANARY)
    git(other, "worktree", "add", "-q", str(place / "tree"))
    (other / "ignore").write_text(f"{CANARY}\n")
    repository(place / "stranger")
    return place


@pytest.fixture
def other(templates, tmp_path):
    return copied(templates / "other", tmp_path.resolve() / "other")


@pytest.fixture
def stranger(templates, tmp_path):
    return copied(templates / "stranger", tmp_path.resolve() / "stranger")


def replaced(path, target):
    """A link in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    path.symlink_to(target)


def links(*names):
    """The parts of the same names are the other's."""

    def make(stranger, other):
        for name in names:
            replaced(stranger / ".git" / name, other / ".git" / name)

    return make


def dot_git(text):
    def make(stranger, other):
        shutil.rmtree(stranger / ".git")
        (stranger / ".git").write_text(f"gitdir: {text.format(other=other)}\n")

    return make


def dot_git_is_a_link(stranger, other):
    replaced(stranger / ".git", other / ".git")


def head_and_commondir(where):
    def make(stranger, other):
        shutil.rmtree(stranger / ".git")
        (stranger / ".git").mkdir()
        (stranger / ".git/HEAD").write_text("ref: refs/heads/main\n")
        (stranger / ".git/commondir").write_text(where.format(other=other) + "\n")

    return make


def says_that_it_is_a_further_tree(stranger, other):
    head_and_commondir("{other}/.git")(stranger, other)
    (stranger / ".git/gitdir").write_text(f"{stranger}/.git\n")


def a_store_of_worktrees(stranger, other):
    """The stranger's own part lies where those of further work trees do, below a link."""
    dot_git("{other}/../stranger/common/worktrees/x")(stranger, other)
    store = stranger / "common/worktrees/x"
    store.mkdir(parents=True)
    (store / "HEAD").write_text("ref: refs/heads/main\n")
    (store / "commondir").write_text(f"{other}/.git\n")
    (store / "gitdir").write_text(f"{stranger}/.git\n")


def setting(*lines):
    def make(stranger, other):
        with (stranger / ".git/config").open("a") as config:
            config.write("\n".join(lines).format(other=other) + "\n")
        index_of_other(stranger, other)

    return make


def index_of_other(stranger, other):
    """Its index names the other's files, as one does that a stranger has made up."""
    blob = git(stranger, "hash-object", "-w", "a.txt").strip()
    for name in ("a.txt", f"src/{CANARY[:6]}.txt", "ignore"):
        git(stranger, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")


def worktree_in_a_config_of_its_own(stranger, other):
    setting("[extensions]", "worktreeConfig = true")(stranger, other)
    (stranger / ".git/config.worktree").write_text(f"[core]\nworktree = {other}\n")


def commit_of(other):
    return git(other, "rev-parse", "HEAD").strip()


def alternates(line):
    def make(stranger, other):
        where = line.format(objects=other / ".git/objects")
        (stranger / ".git/objects/info").mkdir(exist_ok=True)
        (stranger / ".git/objects/info/alternates").write_text(where + "\n")
        (stranger / ".git/refs/heads/main").write_text(commit_of(other) + "\n")

    return make


def alternates_of_alternates(stranger, other):
    between = stranger / "between/info"
    between.mkdir(parents=True)
    (between / "alternates").write_text(f"{other}/.git/objects\n")
    alternates(f"{stranger}/between")(stranger, other)


def an_object_directory(*names):
    def make(stranger, other):
        if names == ("pack",):
            git(other, "gc", "-q")
        for name in names or [p.name for p in (other / ".git/objects").glob("??")]:
            replaced(stranger / ".git/objects" / name, other / ".git/objects" / name)
        (stranger / ".git/refs/heads/main").write_text(commit_of(other) + "\n")

    return make


def objects_of_other(stranger, other):
    links("objects")(stranger, other)
    (stranger / ".git/refs/heads/main").write_text(commit_of(other) + "\n")


def objects_by_themselves(stranger, other):
    for path in (other / ".git/objects").glob("??/*"):
        own = stranger / ".git/objects" / path.relative_to(other / ".git/objects")
        own.parent.mkdir(exist_ok=True)
        own.symlink_to(path)
    (stranger / ".git/refs/heads/main").write_text(commit_of(other) + "\n")


def a_directory_and_its_repository(stranger, other):
    """The other's files stand in the tree by a link, so that the other's index seems to know them."""
    git(other, "status")
    dot_git("{other}/.git")(stranger, other)
    (stranger / "src").symlink_to(other / "src")


def a_submodule(stranger, other):
    git(stranger, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    (stranger / "sub").mkdir()
    (stranger / "sub/.git").write_text(f"gitdir: {other}/.git\n")


def untracked_links(stranger, other):
    (stranger / "new.txt").symlink_to(other / "a.txt")
    (stranger / "new").symlink_to(other / "src")
    (stranger / "a.txt").unlink()
    (stranger / "a.txt").symlink_to(other / "a.txt")


def a_fetched_head(stranger, other):
    (stranger / ".git/FETCH_HEAD").symlink_to(other / ".git/refs/heads/main")


def rules_elsewhere(stranger, other):
    (stranger / ".gitignore").symlink_to(other / "a.txt")
    (stranger / ".gitattributes").symlink_to(other / "a.txt")


def a_packed_file(name):
    def make(stranger, other):
        git(other, "pack-refs", "--all")
        links(name)(stranger, other)
        (stranger / ".git/HEAD").write_text(f"ref: refs/heads/{CANARY}\n")
        an_object_directory()(stranger, other)

    return make


FORMS = {
    "gitfile": dot_git("{other}/.git"),
    "gitfile, relative": dot_git("../other/.git"),
    "gitfile of a further work tree": dot_git("{other}/.git/worktrees/tree"),
    "link": dot_git_is_a_link,
    "HEAD and commondir": head_and_commondir("{other}/.git"),
    "HEAD and commondir, relative": head_and_commondir("../../other/.git"),
    "commondir and gitdir": says_that_it_is_a_further_tree,
    "commondir below worktrees": a_store_of_worktrees,
    "core.worktree": setting("[core]", "worktree = {other}"),
    "core.worktree, relative": setting("[core]", "worktree = ../../other"),
    "core.worktree in config.worktree": worktree_in_a_config_of_its_own,
    "core.worktree by include": setting("[include]", "path = {other}/.git/config", "[core]", "worktree = {other}"),
    "alternates": alternates("{objects}"),
    "alternates, relative": alternates("../../../other/.git/objects"),
    "alternates, quoted": alternates('"{objects}"'),
    "alternates of alternates": alternates_of_alternates,
    "objects": objects_of_other,
    "objects/pack": an_object_directory("pack"),
    "objects/xx": an_object_directory(),
    "each object": objects_by_themselves,
    "refs": links("refs", "objects"),
    "refs/heads": links("refs/heads", "objects"),
    "refs/heads/main": links("refs/heads/main"),
    "packed-refs": a_packed_file("packed-refs"),
    "index": links("index"),
    "HEAD": links("HEAD"),
    "config": links("config"),
    "logs/HEAD": links("logs/HEAD"),
    "logs": links("logs"),
    "info": links("info"),
    "FETCH_HEAD": a_fetched_head,
    "core.excludesFile": setting("[core]", "excludesFile = {other}/ignore"),
    "core.attributesFile": setting("[core]", "attributesFile = {other}/ignore"),
    "a directory and its repository": a_directory_and_its_repository,
    "submodule": a_submodule,
    "untracked links": untracked_links,
    "rules elsewhere": rules_elsewhere,
}  # fmt: skip


# The commit's name is the stranger's own word there.
PLANTED = ("alternates", "objects", "each", "packed")
# By what names the other's commits might be asked for besides.
COMMITS = {"logs": "HEAD@{0}", "logs/HEAD": "HEAD@{0}", "FETCH_HEAD": "FETCH_HEAD", "refs": CANARY}


@pytest.mark.parametrize("form", FORMS)
async def test_nothing_of_another_repository_is_shown(bench, stranger, other, form):
    """No name, no line, no commit of the other repository stands in what a model is asked or the agent is told."""
    secrets = [CANARY, commit_of(other), commit_of(other)[:12]]
    FORMS[form](stranger, other)
    planted = form.startswith(PLANTED)
    for compare_to in dict.fromkeys(["", COMMITS.get(form, "")]):
        said = await said_of(bench, stranger, compare_to)
        found = [secret for secret in secrets if secret in said]

        assert not [secret for secret in found if not planted or secret == CANARY]


async def said_of(bench, stranger, compare_to):
    """Everything that leaves the machine or is answered."""
    try:
        told, asked = await looked_at(bench, stranger, compare_to=compare_to)
    except ExaiError as fault:
        assert not bench.gateway.requests
        return f"{fault.message} {fault.details}".replace(str(stranger.parent), "")
    return f"{told} {asked}"


async def test_a_refusal_says_what_leads_where_and_what_to_do(bench, stranger, other):
    """Whoever has their repository elsewhere on purpose is told how it can be read."""
    alternates("{objects}")(stranger, other)
    with pytest.raises(
        ExaiError, match=r"objects are borrowed from .*other/.git/objects.*EXAI_ALLOWED_ROOTS"
    ):
        await looked_at(bench, stranger)
    told, _ = await looked_at(bench, stranger, stranger, other)

    assert told["branch"] == "main"


@pytest.mark.parametrize(
    "name", ["HEAD", "index", "config", "packed-refs", "info/exclude", "refs/heads/x", "commondir"]
)
async def test_the_parts_of_a_repository_that_hang_hold_nobody_up(bench, stranger, name):
    """A FIFO where git would read a file is refused, or passed over where git takes it for nothing."""
    path = stranger / ".git" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with trio.fail_after(10):
        said = await said_of(bench, stranger, "")

    assert "no regular file" in said or name == "commondir"


async def test_the_repository_around_a_root_shows_only_what_is_in_the_root(bench, tmp_path):
    """A root below the top of a repository: its neighbours are neither named nor shown."""
    top = repository(tmp_path.resolve() / "top", f"{CANARY}\n")
    inside = top / "part"
    inside.mkdir()
    (top / "a.txt").write_text(f"{CANARY} again\n")
    (top / f"{CANARY}.txt").write_text("")
    (inside / "new.txt").write_text("INSIDE\n")
    told, asked = await looked_at(bench, inside)

    assert told["changed"] == ["?? new.txt"]
    assert "INSIDE" in asked
    assert CANARY not in f"{told} {asked}"
