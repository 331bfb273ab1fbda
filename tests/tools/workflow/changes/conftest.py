"""A repository made by hand, and a git that answers from a table: nothing is started."""

import attrs
import pytest

from exai_trio.tools.workflow.changes import changed_files
from exai_trio.workspace.git import command


@attrs.define
class TableGit:
    """`answers` by a word that only that command has, else nothing; `asked` are the commands, without what all have."""

    answers: dict = attrs.field(
        factory=lambda: {"status": b"# branch.oid 1234\0# branch.head main\0"}
    )
    configured: bytes = b""
    filters: bytes = b""
    asked: list = attrs.field(factory=list)

    async def run(self, line, environ, name, into, given):
        assert environ["GIT_LITERAL_PATHSPECS"] == "1"
        self.asked.append((*line[4:], *([given] if given else [])))
        answer = next((said for word, said in self.answers.items() if word in line), b"")
        if isinstance(answer, Exception):
            raise answer
        into(answer)

    def said(self, directory, words, environ, most, **_):
        """Only its configuration is asked for in this way: the repository's own, or the user's."""
        del directory, environ, most
        assert words[0] == "config"
        return self.configured if "--file" in words else self.filters

    def was_asked(self, word):
        return [words for words in self.asked if word in words]


@pytest.fixture
def git(monkeypatch):
    table = TableGit()
    monkeypatch.setattr(changed_files, "_git", table.run)
    monkeypatch.setattr(command, "said", table.said)
    monkeypatch.setattr(command, "program", lambda: "/usr/bin/git")
    return table


@pytest.fixture
def top(bench, tmp_path):
    """A work tree with the parts of a repository, and the only allowed root."""
    top = tmp_path.resolve() / "top"
    for part in ("objects", "refs", "info"):
        (top / ".git" / part).mkdir(parents=True)
    (top / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (top / ".git/config").write_text("")
    (top / ".git/index").write_text("DIRC")
    (top / ".git/ORIG_HEAD").write_text("12" * 20 + "\n")
    bench.caller.roots = (top,)
    return top
