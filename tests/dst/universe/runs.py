"""Where each call's tool runs now, when it ended, and when it must have stopped or been answered. On the clock of its universe."""

from collections.abc import Callable

import attrs
import trio

_AT_ONCE_S = 1.0


@attrs.define(eq=False)
class Runs:
    """By mark: the number of the daemon, and the moment. A killed daemon runs nothing."""

    fail: Callable[[str], None]
    now: dict[str, int] = attrs.field(factory=dict[str, int])
    ended: dict[str, float] = attrs.field(factory=dict[str, float])
    stopped: set[str] = attrs.field(factory=set[str])  # their end was confirmed
    cut: set[int] = attrs.field(factory=set[int])  # daemons that may have ended before their calls
    asked_in_peace: dict[str, float] = attrs.field(factory=dict[str, float])

    def begin(self, mark: str, life: int, *, alone: bool) -> None:
        """`alone`: without a journal a client that hears nothing sends its call to whichever daemon there is."""
        if alone and mark in self.now:
            self.fail(f"{mark} runs in {self.now[mark]} and in {life} at once")
        if mark in self.stopped:
            self.fail(f"{mark} runs in {life} after it had been withdrawn")
        self.now[mark] = life

    def end(self, mark: str, life: int) -> None:
        if self.now.get(mark) == life:
            del self.now[mark]
            self.ended[mark] = trio.current_time()

    def killed(self, life: int) -> None:
        self.cut.add(life)
        self.now = {mark: number for mark, number in self.now.items() if number != life}

    async def must_stop(self, mark: str) -> None:
        """A daemon has said that it ends this call: it does, soon, wherever it runs."""
        life = self.now.get(mark)
        await trio.sleep(_AT_ONCE_S)
        if life is not None and self.now.get(mark) == life:
            self.fail(f"{mark} runs on in {life} after it was withdrawn")
        self.stopped.add(mark)

    def wait_in_peace(self, mark: str) -> None:
        """Nothing is in the way of this call; it takes no time."""
        self.asked_in_peace[mark] = trio.current_time()

    def answered(self, mark: str) -> None:
        asked = self.asked_in_peace.pop(mark, None)
        if asked is None:
            return
        late = trio.current_time() - self.ended.get(mark, asked)
        if late > _AT_ONCE_S:
            self.fail(f"{mark} was answered {late:.1f} s after its tool had ended, in peace")
        if self.ended.get(mark, asked) - asked > _AT_ONCE_S:
            self.fail(f"{mark} was begun late, in peace")
