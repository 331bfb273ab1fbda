"""`exai config set | unset | path`, in this process."""

import io
import os
import stat
import threading
from types import SimpleNamespace

import pytest

from exai_trio.cli import main
from exai_trio.commands.setup.own_settings import edit_private, write_setting

pytestmark = pytest.mark.usefixtures("bare")
CANARY = "canary-0123456789"


@pytest.fixture
def own(tmp_path):
    """Where the user's own settings are."""
    return tmp_path / ".config" / "exai" / "settings.env"


@pytest.fixture
def piped(monkeypatch):
    def pipe(data: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return pipe


def test_the_path_is_printed_before_there_is_a_file(own, capsys):
    """It says where the file would be, and makes nothing."""
    assert 0 == main(["config", "path"])
    assert f"{own}\n" == capsys.readouterr().out
    assert not own.exists()


@pytest.mark.parametrize("words", [["EXAI_WS_PORT", "9000"], ["EXAI_WS_PORT=9000"]])
def test_a_setting_is_written_and_read(words, own, capsys):
    """With a blank or with =; `exai config` shows where it came from."""
    assert 0 == main(["config", "set", *words])
    assert "EXAI_WS_PORT=9000\n" == own.read_text()
    assert 0o600 == stat.S_IMODE(own.stat().st_mode)
    capsys.readouterr()

    assert 0 == main(["config"])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "EXAI_WS_PORT" in line)
    assert ["EXAI_WS_PORT", "9000", str(own)] == line.split()


def test_a_secret_comes_from_a_pipe(own, piped, capsys):
    """The first line; under the setting's own name, whichever of its names was used; and it is never shown."""
    piped(f"  {CANARY} \nmore\n".encode())

    assert 0 == main(["config", "set", "ZAI_API_KEY"])
    assert f"GLM_API_KEY={CANARY}\n" == own.read_text()
    assert CANARY not in "".join(capsys.readouterr())


def test_a_secret_is_typed_unseen(own, monkeypatch, capsys):
    """On a terminal it is asked for without echo."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("getpass.getpass", lambda prompt: CANARY if "GLM_API_KEY" in prompt else "")

    assert 0 == main(["config", "set", "GLM_API_KEY"])
    assert f"GLM_API_KEY={CANARY}\n" == own.read_text()


@pytest.mark.parametrize(
    "words", [["GLM_API_KEY", CANARY], [f"KIMI_API_KEY={CANARY}"], ["OPENROUTER_API_KEY", CANARY]]
)
def test_a_secret_is_not_taken_from_the_command_line(words, own, capsys):
    """Nothing is written, the secret is not repeated, and the command that is right is named."""
    assert 2 == main(["config", "set", *words])

    said = capsys.readouterr().err
    assert f"`exai config set {words[0].partition('=')[0]}` asks for it" in said
    assert CANARY not in said
    assert not own.exists()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing came"),
        (b"\n", "nothing came"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"x" * 20_000, "more than"),
        (f"{CANARY} {CANARY}\n".encode(), "without spaces"),
    ],
)
def test_what_is_no_secret_is_refused(data, why, own, piped, capsys):
    """An empty, a binary or an endless stdin, and a key with blanks: one line says what, and nothing is written."""
    piped(data)

    assert 2 == main(["config", "set", "GLM_API_KEY"])
    said = capsys.readouterr().err
    assert why in said
    assert (1, False) == (len(said.splitlines()), CANARY in said)
    assert not own.exists()


def test_a_closed_stdin_is_said(monkeypatch, capsys):
    """There is nobody to ask."""
    monkeypatch.setattr("sys.stdin", None)

    assert 2 == main(["config", "set", "GLM_API_KEY"])
    assert "stdin is closed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["LOGLEVEL", "x"], "did you mean LOG_LEVEL?"),
        (["exai_ws_prot", "1"], "did you mean EXAI_WS_PORT?"),
        (["EXAI_WS_PORT", "x"], "a whole number from 0 to 65535"),
        (["EXAI_WS_PORT"], "`exai config set EXAI_WS_PORT VALUE`"),
    ],
)
def test_a_mistake_is_answered_with_what_is_right(words, hint, own, capsys):
    """A name that is none, a value that is none, and no value at all."""
    assert 2 == main(["config", "set", *words])
    assert hint in capsys.readouterr().err
    assert not own.exists()


def test_faulty_settings_can_be_mended(own, monkeypatch):
    """What is wrong elsewhere does not keep anybody from writing."""
    monkeypatch.setenv("EXAI_WS_PORT", "x")
    own.parent.mkdir(parents=True)
    own.write_text("EXAI_DRAIN_S=never\n")

    assert 0 == main(["config", "set", "EXAI_DRAIN_S", "5"])
    assert "EXAI_DRAIN_S=5\n" == own.read_text()


def test_what_goes_before_the_file_is_said(monkeypatch, capsys):
    """Whoever sets what the environment sets too learns that it has no effect."""
    monkeypatch.setenv("EXAI_WS_PORT", "9")

    assert 0 == main(["config", "set", "EXAI_WS_PORT", "10"])
    assert "the environment sets EXAI_WS_PORT too" in capsys.readouterr().err


def test_a_setting_is_taken_out(own):
    """Under each of its names; comments stay."""
    own.parent.mkdir(parents=True)
    own.write_text("# keys\nZAI_API_KEY=k\nEXAI_DRAIN_S=5\n")

    assert 0 == main(["config", "unset", "GLM_API_KEY", "EXAI_DRAIN_S"])
    assert "# keys\n" == own.read_text()


def test_a_file_that_others_may_read_is_closed_to_them(own):
    """Whatever its mode was, it is 0600 after the next change; and a link stays a link."""
    own.parent.mkdir(parents=True)
    real = own.with_name("elsewhere")
    real.write_text("EXAI_DRAIN_S=5\n")
    real.chmod(0o644)
    own.symlink_to(real)

    assert 0 == main(["config", "set", "EXAI_DRAIN_S", "5"])
    assert (True, 0o600) == (own.is_symlink(), stat.S_IMODE(real.stat().st_mode))


def test_a_file_that_others_may_read_is_said(own, capsys):
    """With the command that closes it; a closed one is not mentioned."""
    own.parent.mkdir(parents=True)
    own.write_text("EXAI_DRAIN_S=5\n")
    own.chmod(0o640)

    assert 0 == main(["config"])
    assert f"chmod 600 {own}" in capsys.readouterr().err
    own.chmod(0o600)
    assert 0 == main(["config"])
    assert "chmod" not in capsys.readouterr().err


def test_a_file_that_is_no_text_is_left_alone(own, capsys):
    """It is not overwritten, and the line says so."""
    own.parent.mkdir(parents=True)
    own.write_bytes(b"\xff")

    assert 2 == main(["config", "set", "EXAI_DRAIN_S", "5"])
    assert f"{own} cannot be read" in capsys.readouterr().err
    assert b"\xff" == own.read_bytes()


def test_a_write_that_fails_leaves_the_old_file(own, monkeypatch):
    """No room on the disk: the file is as it was, and nothing lies beside it."""
    write_setting(own, "A_KEY", "1")

    def full(path, data):
        path.with_name(f"{path.name}.{os.getpid()}.new").write_bytes(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("exai_trio.commands.setup.own_settings.replace_private", full)
    with pytest.raises(OSError, match="No space"):
        write_setting(own, "B_KEY", "2")

    assert (["settings.env"], "A_KEY=1\n") == (
        [path.name for path in own.parent.iterdir()],
        own.read_text(),
    )


def test_two_who_write_at_once_lose_nothing(own):
    """One waits for the other, and sees what it has written."""
    inside, go_on = threading.Event(), threading.Event()

    def slowly(text: str) -> str:
        inside.set()
        go_on.wait(10)
        return text + "A_KEY=1\n"

    first = threading.Thread(target=edit_private, args=(own, slowly))
    second = threading.Thread(target=write_setting, args=(own, "B_KEY", "2"))
    first.start()
    inside.wait(10)
    second.start()
    second.join(0.3)  # it cannot end before the first one has
    go_on.set()
    first.join(10)
    second.join(10)

    assert {"A_KEY=1", "B_KEY=2"} == set(own.read_text().split())
