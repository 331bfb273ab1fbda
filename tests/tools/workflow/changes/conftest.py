"""A repository made by hand, and a git that answers from a table: nothing is started."""

import attrs
import pytest

from exai_trio.tools.workflow.changes import changed_files
from exai_trio.workspace.git import command


@attrs.define
class TableGit:
    """`answers` by a word that only that command has, else nothing; `asked` are the commands, without what all have.

    `own` and `users` are the settings of the repository and of the user; `index` is what it lists with all that it has noted.
    """

    answers: dict = attrs.field(
        factory=lambda: {"status": b"# branch.oid 1234\0# branch.head main\0"}
    )
    own: bytes = b""
    users: bytes = b""
    index: bytes | Exception = b""
    asked: list = attrs.field(factory=list)

    async def run(self, line, environ, name, into, given):
        assert environ["GIT_LITERAL_PATHSPECS"] == "1"
        self.asked.append((*line[4:], *([given] if given else [])))
        answer = next((said for word, said in self.answers.items() if word in line), b"")
        if isinstance(answer, Exception):
            raise answer
        into(answer)

    def said(self, directory, words, environ, most, **_):
        del directory, environ, most
        if words[0] == "config":
            return self.own if "--file" in words else self.users
        assert words[0] == "ls-files"
        if isinstance(self.index, Exception):
            raise self.index
        return self.index

    def was_asked(self, word):
        return [words for words in self.asked if word in words]


@pytest.fixture
def git(monkeypatch):
    table = TableGit()
    monkeypatch.setattr(changed_files, "_git", table.run)
    monkeypatch.setattr(command, "said", table.said)
    monkeypatch.setattr(command, "program", lambda: "/usr/bin/git")
    return table


def repository_at(git_dir):
    """The parts that make a directory one."""
    for part in ("objects", "refs", "info"):
        (git_dir / part).mkdir(parents=True)
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    (git_dir / "config").write_text("")
    (git_dir / "index").write_text("DIRC")
    return git_dir


@pytest.fixture
def other(tmp_path):
    """Another's repository, outside the allowed roots."""
    return repository_at(tmp_path.resolve() / "other/.git")


@pytest.fixture
def top(bench, tmp_path):
    """A work tree with the parts of a repository, and the only allowed root."""
    top = tmp_path.resolve() / "top"
    repository_at(top / ".git")
    (top / ".git/ORIG_HEAD").write_text("12" * 20 + "\n")
    bench.caller.roots = (top,)
    return top
