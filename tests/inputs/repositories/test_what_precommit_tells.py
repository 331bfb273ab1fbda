"""What precommit says of changes that are long, odd or not text, and by which names commits may be asked for."""

import pytest
from made import copied, git, looked_at, repository

from exai_trio.errors import ArgumentError
from exai_trio.tools.workflow.changes import changed_files as workflow_git

pytestmark = pytest.mark.real

NAMES = (
    *("fix/#123-crash", "v1.0#rc", "feature/größe", "a=b", "user,name", "100%", "émoji-🎉", "x'y", "(wip)"),
    *("@", "HEAD", "HEAD@{0}", "main@{0}", "HEAD~1^0", ":/first", "HEAD^{/first}", "heads/main"),
    *("refs/heads/a=b", "origin/main", "main@{upstream}", "@{u}", "v1.0#rc^{}", "main~1", "!odd", "a&b;c|d$e`f"),
)  # fmt: skip
NO_NAMES = (
    *("--output=/tmp/x", "-p", "nobody", "HEAD..main", "HEAD...main", "^main", "main^!", "main^@", "HEAD main"),
    *("a\nb", "x" * 3_000, "HEAD:a.txt", "HEAD^{tree}", "--all", "--", ".", "-", "a.txt", "\0", "x\0y", "@{9}"),
)  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    top = repository(tmp_path_factory.mktemp("template").resolve() / "top")
    git(top, "update-ref", "refs/remotes/origin/main", "HEAD")
    (top / "a.txt").write_text("SINCE\n")
    git(top, "commit", "-q", "-a", "-m", "second")
    for name in ("fix/#123-crash", "feature/größe", "a=b", "user,name", "100%", "émoji-🎉", "x'y", "(wip)",
                 "!odd", "a&b;c|d$e`f"):  # fmt: skip
        git(top, "branch", name, "HEAD~1")
    git(top, "tag", "-a", "-m", "x", "v1.0#rc", "HEAD~1")
    git(top, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    git(top, "config", "branch.main.remote", "origin")
    git(top, "config", "branch.main.merge", "refs/heads/main")
    return top


@pytest.fixture
def top(template, tmp_path):
    return copied(template, tmp_path.resolve() / "top")


async def test_every_name_of_a_commit_is_taken(bench, template):
    """Branches as issue trackers name them, tags, what has been fetched or is followed, and git's own ways to name a commit."""
    for name in NAMES:
        told, asked = await looked_at(bench, template, compare_to=name)
        commit = git(template, "rev-parse", "--verify", name).strip()
        since = git(template, "diff", commit, "HEAD").strip()

        assert since in asked
        assert told["lines_of_diff"][f"Changes since {name}"] == since.count("\n") + bool(since)


@pytest.mark.parametrize("name", NO_NAMES)
async def test_what_names_no_commit_is_refused(bench, template, name):
    """Options, ranges, files, trees, several commits and half characters."""
    with pytest.raises(ArgumentError, match="names no commit") as fault:
        await looked_at(bench, template, compare_to=name)

    assert fault.value.details["field"] == "compare_to"


async def test_a_diff_that_is_cut_is_told_with_numbers_and_by_file(bench, top):
    """The agent and the expert learn how much was shown of which file; a short file behind a long one is shown whole."""
    (top / "big.txt").write_text("\n".join(f"l{n}" for n in range(200_000)))
    (top / "z_last.txt").write_text("password = 1\n")
    git(top, "add", ".")
    lines = git(top, "diff", "--cached").count("\n")
    told, asked = await looked_at(bench, top)
    cut = told["shown_to_the_expert_in_part"]["Staged changes"]
    shown = cut["lines_shown"]

    assert told["lines_of_diff"]["Staged changes"] == cut["lines"] == lines
    assert asked.count("\n+l") < shown < asked.count("\n+l") + 20
    assert shown > 20_000
    assert list(cut["files"]) == ["big.txt"]
    assert f"[cut: {shown:,} of {lines:,} lines are shown; of big.txt (" in asked
    assert "+password = 1" in asked


async def test_many_long_files_have_a_share_each(bench, top, monkeypatch):
    """Each of them is shown in part, and named."""
    monkeypatch.setattr(workflow_git, "MOST_BYTES", 60_000)
    for number in range(12):
        (top / f"f{number}.txt").write_text(f"begins {number}\n" + "line\n" * 4_000)
    git(top, "add", ".")
    told, asked = await looked_at(bench, top)

    assert all(f"+begins {number}\n" in asked for number in range(12))
    assert len(told["shown_to_the_expert_in_part"]["Staged changes"]["files"]) == 12
    assert len(asked) < 70_000


WORDS = {
    "gbk": "这个函数读取配置文件并返回所有的设置，如果文件不存在就抛出异常",
    "big5": "這個函數讀取設定檔並返回所有的設定，如果檔案不存在就拋出例外",
    "shift-jis": "この関数は設定ファイルを読み込んで、すべての設定を返します",
    "euc-kr": "이 함수는 설정 파일을 읽고 모든 설정을 돌려줍니다",
    "koi8-r": "эта функция читает файл настроек и возвращает все значения",
    "cp1252": "diese Funktion liest die Einstellungen größerer Geräte zurück",
}


@pytest.mark.parametrize("encoding", WORDS)
async def test_a_diff_that_is_not_utf8_is_read_and_says_so(bench, top, encoding):
    """Its letters are shown; the file is named beside the diff, to the agent too; the diffs of others are whole."""
    words = WORDS[encoding]
    (top / "g.c").write_bytes(f"/* {words} */\nint x;\n".encode(encoding))
    git(top, "add", ".")
    (top / "g.c").write_bytes(f"/* {words}. */\nint y;\n".encode(encoding))
    (top / "a.txt").write_text("中文 größer\n")
    told, asked = await looked_at(bench, top)

    assert told["not_utf8"] == ["g.c", "g.c"]
    assert asked.count("[not plain UTF-8: g.c (not UTF-8, read as ") == 2
    assert f"+/* {words}. */" in asked
    assert "+中文 größer" in asked
    assert "+int y;" in asked


KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE" + "canary" * 12 + "\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [(".env", "PASSWORD=canary\n"), ("deploy/id_rsa", "canary\n"), ("notes.txt", f"see\n{KEY}")],
)
async def test_what_looks_like_a_secret_is_in_no_diff(bench, top, name, content):
    """Staged, changed since, and compared: neither text is sent; the file is named with the reason, and others are shown."""
    (top / name).parent.mkdir(exist_ok=True)
    (top / name).write_text("before\n")
    git(top, "add", ".")
    git(top, "commit", "-qm", "before")
    (top / name).write_text(content)
    (top / "a.txt").write_text("shown\n")
    git(top, "add", ".")
    (top / name).write_text(f"{content}# more\n")
    told, asked = await looked_at(bench, top, compare_to="HEAD")

    assert "canary" not in asked
    assert f"{name}: left out, it looks like a secret" in asked
    assert [name] == list(told["left_out_as_secrets"])
    assert "+shown" in asked


async def test_new_files_are_shown_as_they_are(bench, top):
    """Text is shown; what cannot be is named with the reason; nothing behind a link is read."""
    (top / "new").mkdir()
    (top / "new/text.md").write_text("````\nNEW-TEXT\n````\n")
    (top / "new/empty.txt").write_text("")
    (top / "picture.png").write_bytes(b"\x89PNG\0\0")
    (top / "large.log").write_text("x\n" * 1_000_000)
    (top / "link").symlink_to("/etc/passwd")
    repository(top / "inner")
    told, asked = await looked_at(bench, top)

    assert "### new/text.md\n\n`````\n````\nNEW-TEXT\n````\n`````" in asked
    assert told["untracked_not_shown"] == {
        "inner/": "a repository of its own",
        "large.log": "larger than 1,048,576 bytes",
        "link": "a link",
        "picture.png": "binary, 6 bytes",
    }
    assert "Not shown: inner/: a repository of its own, large.log: larger" in asked
    assert "root:" not in asked


async def test_new_files_are_left_out_with_the_unstaged(bench, top):
    """include_unstaged false means all that is not staged."""
    (top / "new.txt").write_text("NEW-TEXT\n")
    told, asked = await looked_at(bench, top, include_unstaged=False)

    assert told["changed"] == ["?? new.txt"]
    assert "NEW-TEXT" not in asked


async def test_thousands_of_new_files_are_counted(bench, top):
    """A directory that nobody ignores: as much is shown as there is room for, the rest is numbered."""
    (top / "many").mkdir()
    for number in range(1_300):
        (top / f"many/{number:04}").write_text("x\n")
    told, asked = await looked_at(bench, top)

    assert told["changed_left_out"] == 1_100
    assert len(told["untracked_not_shown"]) == 200
    assert "many/1019: not read and 280 more" in asked


async def test_includes_that_are_not_followed_are_told(bench, top):
    """Settings that the repository takes from further files may change what the user sees."""
    git(top, "config", "include.path", "../.gitconfig")
    told, asked = await looked_at(bench, top)

    assert told["remarks"] == ["include of the repository's own configuration is not followed"]
    assert "[include of the repository's own configuration is not followed]" in asked


async def test_an_object_that_is_missing_is_a_fault_with_gits_words(bench, top):
    """In a partial clone EXAI fetches nothing."""
    for path in (top / ".git/objects").glob("??/*"):
        path.unlink()
    with pytest.raises(Exception, match=r"git .* failed: "):
        await looked_at(bench, top)
