"""kill -9 at each step of an upload, a large result and a cleaning up that machines share: nothing is wrong afterwards."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
from hosted.mortal_machine import Shelf, be_patient, cleaning, give
from hosted.shared_machine import open_shared_machine

from exai_trio.commands.storage.check_home import Home, found_in
from exai_trio.commands.storage.store_status import database_faults
from exai_trio.system.clock import unix_now

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

PROGRAM = Path(__file__).parents[1] / "hosted" / "mortal_machine.py"
AN_HOUR_S = 3600.0
THREE_DAYS_S = 3 * 86_400.0  # an object that nobody knows may be on its way for two
REFERRED = "select provider_file_id from provider_file_uploads where reference_count > 0 and provider_file_id <> ''"


@pytest.fixture
def place(tmp_path):
    made = tmp_path / "shelf"
    made.mkdir()
    return made


@pytest.fixture
async def kill_at(gateway, place, monkeypatch):
    """Have a machine do something until that moment of it; whether it came so far."""
    be_patient(monkeypatch.setattr)
    command = [sys.executable, str(PROGRAM), gateway.url, gateway.key, str(place)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as mortal:  # noqa: ASYNC220  # a moment

        def ordered(*words):
            print(*words, file=mortal.stdin, flush=True)
            return int(mortal.stdout.readline())

        async def kill(*words):
            status = await trio.to_thread.run_sync(ordered, *words)
            assert status in {0, -signal.SIGKILL}
            return status != 0

        yield kill
        mortal.stdin.close()


async def after_restart(home, gateway, place):
    """A start, after which all is sent that can be, and one pass of cleaning up. What that reports."""
    async with open_shared_machine(home, gateway) as machine:
        await machine.bus.upkeep(unix_now())
        await machine.wait_sent()
        report = await cleaning(machine, Shelf(place)).run(daily=False)
    return {each.removeprefix("kimi:") for each in report.unknown}


async def wrong_with(homes, stage):
    found = [fault for home in homes for fault in found_in(Home(home, full=True))]
    return [*found, *await database_faults(stage.url)]


def on_shelf(place, name="*"):
    return {path.name.partition(":")[0] for path in place.glob(f"*:{name}")}


async def test_an_upload_and_a_result(kill_at, gateway, stage, place, tmp_path):
    """Each provider's file is known, or told of; asked for again it is there once."""
    homes, killed = [], True
    while killed:
        homes.append(tmp_path / f"home{len(homes)}")
        killed = await kill_at("upload", homes[-1], len(homes), f"blob{len(homes)}")
    stage.set_clock(time.time() + AN_HOUR_S)
    asked_again = range(1, len(homes) + 1, 2)
    for number in asked_again:
        async with open_shared_machine(homes[number - 1], gateway) as machine:
            await give(machine, Shelf(place), f"blob{number}", "held:owner")
    there = [len(on_shelf(place, f"blob{number}.txt")) for number in asked_again]
    for home in homes:
        unknown = await after_restart(home, gateway, place)
    stage.set_clock(None)

    assert len(homes) > 10
    assert [1] * len(there) == there
    known = {name for (name,) in stage.execute(REFERRED)}
    assert known <= on_shelf(place) <= known | unknown
    assert [] == await wrong_with(homes, stage)


async def test_cleaning_up(kill_at, gateway, stage, place, tmp_path):
    """What is referred to stays; the next pass does the rest, each file is deleted, and each row is gone."""
    home, moment, killed, at = tmp_path / "home", 0, True, time.time()
    async with open_shared_machine(home, gateway) as machine:
        await give(machine, Shelf(place), "kept", "held:owner")
    while killed:
        moment += 1
        async with open_shared_machine(home, gateway) as machine:
            await give(machine, Shelf(place), f"gone{moment}", "")
        killed = await kill_at("clean", home, moment, "-")
        at += AN_HOUR_S / 6
        stage.set_clock(at)
    stage.set_clock(at + THREE_DAYS_S)
    unknown = await after_restart(home, gateway, place)
    stage.set_clock(None)

    assert moment > 15
    referred = {name for (name,) in stage.execute(REFERRED)}
    assert (set(), 1, referred) == (unknown, len(referred), on_shelf(place))
    counts = "select (select count(*) from provider_file_uploads), (select count(*) from file_deletion_jobs)"
    assert [(1, 0)] == stage.execute(counts)
    assert 1 == len(stage.storage.buckets["exai-files"].objects)
    assert [] == await wrong_with([home], stage)
