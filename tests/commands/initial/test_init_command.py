"""`exai init` in this process: what is written, tried, asked and taken back, with the surroundings, providers and shim of a test."""

from functools import partial
from io import StringIO

import pytest

from exai_trio import cli
from exai_trio.commands.editors.editor_files import CannotChange
from exai_trio.commands.initial import init_command, shim_call
from exai_trio.commands.initial.carry_out import Changing
from exai_trio.commands.initial.choices import Found
from exai_trio.commands.initial.dialogue import Dialogue
from exai_trio.commands.running import home_daemon
from exai_trio.commands.setup.try_providers import Trial

KEY = "c4nary.0123456789"
KEYS = Found(keys=(("GLM_API_KEY", KEY),), editors=("codex",))
ANSWERED = shim_call.Spoken(text=" blue \n")
GOOD, REFUSED, LATE = (
    Trial(provider="glm", model="glm-4.6", seconds=1.0),
    Trial(provider="glm", fault="the key is refused; check GLM_API_KEY"),
    Trial(provider="glm", fault="nobody answers"),
)


@pytest.fixture
def own(tmp_path):
    return tmp_path / ".config" / "exai" / "settings.env"


@pytest.fixture
def around(exai, monkeypatch):
    """Run `exai init` where this is found, a key's trial goes so, and the shim says that, or raises it."""

    def run(*words, found=KEYS, trial=GOOD, spoken=ANSWERED):
        async def looked(_started):
            return found

        async def tried(_config, provider, tell):
            assert "glm" == provider
            tell(trial)

        async def asked(environ, progress):
            assert "PATH" in environ
            progress("thinking")
            if isinstance(spoken, BaseException):
                raise spoken
            return spoken

        monkeypatch.setattr(init_command, "surroundings", looked)
        monkeypatch.setattr(init_command, "try_all", tried)
        monkeypatch.setattr(shim_call, "ask", asked)
        monkeypatch.setattr(home_daemon, "is_running", lambda _config: False)
        return exai("init", *words)

    return run


def test_everything_is_done_with_yes_and_taken_back_with_undo(around, own, tmp_path):
    code, out, err = around("--yes")

    assert (0, "") == (code, err)
    assert "glm: glm-4.6 answered in 1.0 s." in out
    assert "Answered through the shim:\nblue\n" in out
    assert f"GLM_API_KEY={KEY}\n" == own.read_text(encoding="utf-8")
    assert (tmp_path / ".codex" / "config.toml").is_file()

    assert 0 == around("--undo")[0]
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (0, "Nothing is there to be undone.\n", "") == around("--undo")


def test_a_dry_run_changes_nothing(around, own):
    code, out, err = around("--dry-run")

    assert (0, True) == (code, "nothing was changed; `exai init` does it" in err)
    assert "GLM_API_KEY" in out
    assert not own.exists()


@pytest.mark.parametrize(
    ("trial", "outcome"),
    [(REFUSED, (1, False, "`exai config set GLM_API_KEY`")), (LATE, (0, True, "nobody answers"))],
)
def test_a_key_that_is_refused_is_taken_back_and_one_that_may_be_good_stays(
    around, own, trial, outcome
):
    left, _, err = around("--yes", trial=trial)
    code, stays, said = outcome

    assert (code, stays, True) == (left, own.exists(), said in err)


@pytest.mark.parametrize(
    ("spoken", "code", "said"),
    [
        (shim_call.Spoken(fault="no daemon."), 1, "no answer came: no daemon. `exai doctor`"),
        (KeyboardInterrupt(), 130, "`exai init --undo` takes it back"),
    ],
)
def test_what_is_written_stays_when_no_answer_comes(around, own, spoken, code, said):
    left, _, err = around("--yes", spoken=spoken)

    assert (code, True, True) == (left, own.exists(), said in err)


def test_what_is_interrupted_is_taken_back(around, own, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(init_command, "_is_good", interrupt)
    code, _, err = around("--yes")

    assert (130, "exai: interrupted; nothing was changed\n", False) == (code, err, own.exists())


def test_an_editor_that_cannot_be_told_is_named_and_the_rest_is_done(around, own, monkeypatch):
    def refuse(*_):
        raise CannotChange("config.toml is no TOML")

    monkeypatch.setattr(Changing, "register", refuse)
    code, _, err = around("--yes")

    assert (1, "exai: config.toml is no TOML\n", True) == (code, err, own.exists())


def test_nobody_there_to_be_asked_is_wrong_usage(around):
    code, _, err = around()
    assert (2, True) == (code, "nobody is there to be asked" in err)


def test_an_editor_that_does_not_exist_is_wrong_usage(around, own):
    code, _, err = around("--yes", "--editors", "ed")
    assert (2, True, False) == (code, "--editors ed: names of " in err, own.exists())


def test_a_place_that_cannot_be_written_is_said(around, own):
    own.parent.parent.mkdir()
    own.parent.write_text("a file", encoding="utf-8")
    code, _, err = around("--yes")

    assert (1, True) == (code, "cannot be written" in err)


def test_without_a_home_nothing_can_be_kept(around, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(cli, "_user_home", lambda: "")
    code, _, err = around("--dry-run")
    assert (1, "exai: there is no home directory; set HOME or XDG_CONFIG_HOME\n") == (code, err)


@pytest.mark.parametrize(("typed", "stays"), [("\n\n\n", True), ("\n\nno\n", False)])
def test_who_types_is_asked_first(around, own, monkeypatch, typed, stays):
    asked = partial(Dialogue, line=StringIO(typed).readline)
    monkeypatch.setattr(init_command, "Dialogue", asked)
    monkeypatch.setattr(init_command, "_is_typed", lambda: True)
    left, _, err = around()

    assert (0 if stays else 1, stays) == (left, own.exists())
    assert stays == ("nothing was changed" not in err)
