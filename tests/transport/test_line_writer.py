"""Lines on their way out."""

import trio

from exai_trio.transport.stdio import LineWriter


async def test_many_lines_are_one_write():
    """What waits is written together, in order."""
    writes = []

    class Output(trio.abc.SendStream):
        async def send_all(self, data):
            writes.append(bytes(data))
            await trio.lowlevel.checkpoint()

        async def wait_send_all_might_not_block(self):
            await trio.lowlevel.checkpoint()

        async def aclose(self):
            await trio.lowlevel.checkpoint()

    lines = LineWriter(Output(), room=10)
    for number in range(5):
        lines.put(b"%d.....\n" % number)
    full = lines.full
    async with trio.open_nursery() as legs:
        legs.start_soon(lines.run)
        await lines.wait_room()
        await lines.wait_empty()
        legs.cancel_scope.cancel()

    assert full
    assert writes == [b"".join(b"%d.....\n" % number for number in range(5))]
