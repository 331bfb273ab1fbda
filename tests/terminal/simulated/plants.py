"""Bugs that the simulation must find."""

from exai_trio.terminal.keeper.kept_session import KeptSession
from exai_trio.terminal.keeper.numbered_input import NumberedInput
from exai_trio.terminal.keeper.viewer import Viewer
from exai_trio.terminal.terminal_link import TerminalLink


def ack_before_shown(patch):
    """Output counts as shown when it has come."""

    async def take(self, frame):
        if isinstance(frame, str):
            await right(self, frame)
            return
        left = frame[8:]
        self._note_shown(len(left))
        while left:
            left = left[await self.view.show_some(left) :]

    right = TerminalLink._take
    patch.setattr(TerminalLink, "_take", take)


def overwritten_while_held(patch):
    """What is attached does not hold the ring."""
    patch.setattr(KeptSession, "_held_from", lambda self, now: None)


def taken_before_the_write(patch):
    """A number is taken once it is queued."""
    right = NumberedInput.offer

    def offer(self, client, sequence, data):
        verdict = right(self, client, sequence, data)
        self._taken[client] = max(self._taken.get(client, 0), self._queued.get(client, 0))
        return verdict

    patch.setattr(NumberedInput, "offer", offer)


def gap_one_byte_short(patch):
    """The gap that is told is smaller than the one that there is."""
    right = Viewer.tell

    def tell(self, **fields):
        if fields["op"] == "gap":
            fields["to"] -= 1
        right(self, **fields)

    patch.setattr(Viewer, "tell", tell)


def two_owners_of_reconnection(patch):
    """Beside the link's loop another one reconnects."""
    import trio

    right = TerminalLink._attempt

    async def attempt(self):
        lost = []

        async def one():
            lost.append(await right(self))

        async with trio.open_nursery() as both:
            both.start_soon(one)
            both.start_soon(one)
        return lost[0]

    patch.setattr(TerminalLink, "_attempt", attempt)


PLANTS = {
    plant.__name__.replace("_", " "): plant
    for plant in (
        ack_before_shown,
        overwritten_while_held,
        taken_before_the_write,
        gap_one_byte_short,
        two_owners_of_reconnection,
    )
}
