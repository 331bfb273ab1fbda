"""Large results that another machine can be asked for: fetched once, for their principal alone, and gone from the bucket in time."""

import pytest
from hosted.shared_machine import open_shared_machine

from exai_trio.errors import NotFoundError, PayloadDamagedError, ServiceUnavailableError

pytestmark = pytest.mark.real

TEXT = "ä line of a large result\n" * 60_000


@pytest.fixture
async def machines(gateway, tmp_path):
    async with (
        open_shared_machine(tmp_path / "one", gateway) as one,
        open_shared_machine(tmp_path / "two", gateway) as two,
    ):
        yield one, two


async def put(machine):
    stored = await machine.bus.put(
        TEXT, len(TEXT.encode()), principal="ann", session="s", request="r"
    )
    return stored.transaction_id


async def test_another_machine_gives_the_same(machines):
    """To its principal; who is somebody else is told that it is not there."""
    one, two = machines
    name = await put(one)
    await one.wait_sent()
    with pytest.raises(NotFoundError):
        await two.bus.find(name, "bob")
    found = await two.bus.find(name, "ann")

    assert TEXT == await two.bus.text(found)


async def test_what_is_not_here_is_unavailable_while_it_is_away(machines):
    """Not unknown; what is here is given."""
    one, two = machines
    one.go_away()
    name = await put(one)
    two.go_away()

    with pytest.raises(ServiceUnavailableError):
        await two.bus.find(name, "ann")
    assert TEXT == await one.bus.text(await one.bus.find(name, "ann"))


async def test_a_damaged_result_is_never_given(machines, stage):
    one, two = machines
    name = await put(one)
    await one.wait_sent()
    objects = stage.storage.buckets["exai-bus"].objects
    objects[name] = objects[name][:9000] + bytes([objects[name][9000] ^ 1]) + objects[name][9001:]
    found = await two.bus.find(name, "ann")

    with pytest.raises(PayloadDamagedError):
        await two.bus.text(found)


async def test_what_is_over_goes_from_the_bucket(machines, stage):
    """Whoever has stored it; then nobody finds it, and that is noted."""
    one, two = machines
    name = await put(one)
    await one.wait_sent()
    stage.execute("update message_bus set expires_at = now()")
    gone = [await two.contents.payloads.remove_old() for _ in range(2)]

    assert ([1, 0], {}) == (gone, stage.storage.buckets["exai-bus"].objects)
    with pytest.raises(NotFoundError):
        await two.bus.find(name, "ann")
    assert [(f"payload:{name}",)] == stage.execute("select subject from audit_log")


async def test_its_states_are_told(machines, stage):
    """Delivered here is delivered there; expired, too."""
    one, _ = machines
    name = await put(one)
    found = await one.bus.find(name, "ann")
    await one.bus.deliver(found)
    await one.wait_sent()
    delivered = stage.execute("select status, delivered_at is not null from message_bus")
    await one.bus.expire_payloads(found.expires_at + 1, 10)
    await one.wait_sent()

    assert [("delivered", True)] == delivered
    assert [("expired",)] == stage.execute("select status from message_bus")
