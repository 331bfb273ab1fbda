"""What `exai init` writes, and how it is undone."""

import stat

import pytest

from exai_trio.commands.editors.shim_server import Machine
from exai_trio.commands.initial.carry_out import Changing, undo
from exai_trio.commands.initial.change_record import Changes, read_record, record_beside
from exai_trio.commands.initial.choices import SIMULATE, Choice, Plan
from exai_trio.config import Config
from exai_trio.providers.base import OfferedModel
from exai_trio.providers.local_servers.addresses import Address
from exai_trio.providers.local_servers.look import Server
from exai_trio.settings.load import load

KEY, NEWER = "c4nary.0123456789", "c4nary.9876543210"
SERVER = Server(
    address=Address("127.0.0.1", 8080),
    kind="llama-server",
    models=(OfferedModel(name="m", context_window=1024),),
)
MACHINE = Machine(interpreter="/venv/bin/python")


@pytest.fixture
def environ(tmp_path):
    return {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}


@pytest.fixture
def own(tmp_path):
    return tmp_path / ".config" / "exai" / "settings.env"


def plan(*settings, server=None, simulated=False) -> Plan:
    choice = Choice(text="t", settings=settings, server=server)
    return Plan(choice=choice, editors=(), no_more_simulated=simulated)


def changing(own, environ) -> Changing:
    return Changing(own, Config(), environ)


def undone(own, environ) -> bool:
    return undo(read_record(record_beside(own)), Config(), own, environ, lambda _: None)


def files_below(folder) -> list[str]:
    return sorted(each.name for each in folder.rglob("*") if each.is_file())


def test_everything_is_undone_without_a_trace(own, environ, tmp_path):
    """Settings, the provider and its file, the editor's file."""
    made = changing(own, environ)
    made.write(plan(("GLM_API_KEY", KEY), server=SERVER))
    made.register("codex", load({}, {}), MACHINE)
    assert ["config.toml", "init.json", "providers.toml", "settings.env"] == files_below(tmp_path)

    assert made.take_back(lambda _: None)
    assert [] == files_below(tmp_path)


def test_what_was_there_before_is_there_again(own, environ):
    """The first value, however often it was changed; and comments."""
    own.parent.mkdir(parents=True)
    own.write_text("# mine\nGLM_API_KEY=old\nEXAI_SIMULATE=true\n", encoding="utf-8")
    changing(own, environ).write(plan(("GLM_API_KEY", KEY), simulated=True))
    changing(own, environ).write(plan(("GLM_API_KEY", NEWER)))
    assert f"# mine\nGLM_API_KEY={NEWER}\n" == own.read_text(encoding="utf-8")

    assert undone(own, environ)
    found = own.read_text(encoding="utf-8").splitlines()
    assert {"# mine", "GLM_API_KEY=old", f"{SIMULATE}=true"} == set(found)


def test_the_record_is_its_owners_alone_and_names_what_was_changed(own, environ):
    """It may hold the key of before."""
    changing(own, environ).write(plan(("GLM_API_KEY", KEY)))
    changing(own, environ).write(plan(("GLM_API_KEY", NEWER), server=SERVER))
    record = record_beside(own)

    assert 0o600 == stat.S_IMODE(record.stat().st_mode)
    expected = Changes(
        settings={"GLM_API_KEY": None, "EXAI_PROVIDERS_FILE": None}, providers=("llama-server",)
    )
    assert expected == read_record(record)
    assert KEY not in record.read_text(encoding="utf-8") + repr(read_record(record))


def test_a_second_run_that_is_taken_back_leaves_the_first(own, environ):
    """Only what it made itself goes."""
    changing(own, environ).write(plan(("GLM_API_KEY", KEY)))
    second = changing(own, environ)
    second.write(plan(("KIMI_API_KEY", NEWER)))
    second.take_back(lambda _: None)

    assert f"GLM_API_KEY={KEY}\n" == own.read_text(encoding="utf-8")
    assert {"GLM_API_KEY": None} == read_record(record_beside(own)).settings


def test_an_editor_that_knew_it_before_keeps_it(own, environ):
    """It was not `exai init` that told it."""
    changing(own, environ).register("codex", load({}, {}), MACHINE)
    record_beside(own).unlink()
    again = changing(own, environ)
    again.register("codex", load({}, {}), MACHINE)

    assert not again.made
    again.take_back(lambda _: None)
    assert "already" in again.register("codex", load({}, {}), MACHINE)


def test_an_editors_file_that_cannot_be_changed_back_is_told(own, environ, tmp_path):
    """The rest is undone all the same."""
    made = changing(own, environ)
    made.write(plan(("GLM_API_KEY", KEY)))
    made.register("codex", load({}, {}), MACHINE)
    (tmp_path / ".codex/config.toml").write_text("= broken", encoding="utf-8")
    told = []

    assert not undo(made.made, Config(), own, environ, told.append)
    assert any("mend it first" in line for line in told)
    assert not own.exists()


def test_a_record_of_somebody_elses_is_none(own):
    """Nothing is undone by what cannot be read."""
    own.parent.mkdir(parents=True)
    for text in ("{", "[]", ""):
        record_beside(own).write_text(text, encoding="utf-8")
        assert not read_record(record_beside(own))
