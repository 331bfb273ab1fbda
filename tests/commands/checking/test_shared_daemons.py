"""`exai status --daemons`."""

import json

import attrs
import pytest

from exai_trio.commands.checking import shared_daemons
from exai_trio.commands.console import Console
from exai_trio.config import Config
from exai_trio.storage.postgres import shared_calls_store
from exai_trio.storage.shared.shared_calls import DaemonFacts, KnownDaemon


def known(name, lease_s, **more):
    facts = DaemonFacts(name=name, executor="e", boot_id="b", address=f"{name}:8079", version="1")
    told = {"draining": False, "running": 2, "owned": 3} | more
    return KnownDaemon(facts=facts, lease_s=lease_s, **told)


LIVING = (known("one", 4.25), known("two", 5.0, draining=True), known("three", -90.0))


@pytest.mark.parametrize(("found", "code"), [(LIVING, 0), (LIVING[2:], 1), ((), 1)])
async def test_who_lives_and_what_it_runs(monkeypatch, capsys, found, code):
    """One line each; exit 1 if none lives."""

    async def asked(_database):
        return found

    monkeypatch.setattr(shared_calls_store, "known_daemons", asked)
    config = attrs.evolve(Config(), storage_backend="postgres", database_url="postgresql:///x")
    console = Console.of_process({})
    assert code == await shared_daemons.run(config, console, as_json=False)
    text = capsys.readouterr().out
    await shared_daemons.run(config, console, as_json=True)
    told = json.loads(capsys.readouterr().out)

    rows = [line.split()[:2] for line in text.splitlines()[1:]]
    assert [[one.facts.name, shared_daemons.state_of(one)] for one in found] == rows
    assert [attrs.asdict(one) for one in found] == told


async def test_one_machine_alone_has_no_others(capsys):
    """It is said which setting that is."""
    code = await shared_daemons.run(Config(), Console.of_process({}), as_json=True)
    said = capsys.readouterr()

    assert (0, []) == (code, json.loads(said.out))
    assert "STORAGE_BACKEND" in said.err
