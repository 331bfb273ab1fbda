"""The one retry loop, on the jumping clock."""

import attrs
import pytest
import trio

from exai_trio.errors import (
    BadAnswerError,
    PromptTooLongError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderNetworkError,
    ProviderQuotaError,
    ProviderRefusedError,
    ProviderTimeoutError,
)
from exai_trio.resilience.breaker import Breaker
from exai_trio.resilience.guard import Guard


@attrs.define
class Peer:
    """Fails with these errors one after another, then answers; `speaks` before failing if told to."""

    errors: list
    speaks: bool = False
    attempts: list = attrs.field(factory=list)

    async def answer(self, attempt):
        self.attempts.append((attempt.number, trio.current_time()))
        await trio.sleep(0.1)
        attempt.spoke = self.speaks
        if self.errors:
            raise self.errors.pop(0)
        return "an answer"


@pytest.fixture
def breaker():
    return Breaker(threshold=5, open_s=60.0)


@pytest.fixture
def told():
    return []


@pytest.fixture
def guard(breaker, told):
    return Guard(
        name="glm/glm-4.6",
        breaker=breaker,
        random=lambda: 1.0,
        retrying=lambda *what: told.append(what),
    )


def busy(**more):
    return ProviderBusyError("overloaded", **more)


async def test_a_passing_failure_is_tried_again(guard, told, autojump_clock):
    """Two failures, then the answer; whoever listens is told of each wait beforehand."""
    peer = Peer([busy(), ProviderNetworkError("broke")])

    answer = await guard.run(peer.answer)

    assert answer == "an answer"
    assert [(wait_s, number) for _, wait_s, number in told] == [(0.5, 2), (1.0, 3)]


async def test_four_attempts_at_most(guard, autojump_clock):
    """The fourth failure is the caller's."""
    peer = Peer([busy() for _ in range(9)])

    with pytest.raises(ProviderBusyError):
        await guard.run(peer.answer)

    assert [number for number, _ in peer.attempts] == [1, 2, 3, 4]


async def test_an_error_may_ask_for_fewer_attempts(guard, autojump_clock):
    """`details.max_attempts` lowers the number, never raises it."""
    peer = Peer([busy(details={"max_attempts": 2}) for _ in range(9)])

    with pytest.raises(ProviderBusyError):
        await guard.run(peer.answer)

    assert len(peer.attempts) == 2


@pytest.mark.parametrize(
    "kind", [ProviderAuthError, ProviderQuotaError, ProviderRefusedError, PromptTooLongError]
)
async def test_what_will_not_change_is_not_tried_again(guard, kind, autojump_clock):
    """Key, balance, policy and length are the same in a second."""
    peer = Peer([kind("no")])

    with pytest.raises(kind):
        await guard.run(peer.answer)

    assert len(peer.attempts) == 1


async def test_nothing_is_tried_again_once_the_answer_has_begun(guard, autojump_clock):
    """A caller who has read half an answer never gets another one's beginning after it."""
    peer = Peer([ProviderNetworkError("broke")], speaks=True)

    with pytest.raises(ProviderNetworkError):
        await guard.run(peer.answer)

    assert len(peer.attempts) == 1


async def test_retry_after_is_honoured(guard, autojump_clock):
    """The second attempt comes after the time that the provider named."""
    peer = Peer([busy(retry_after_s=7.0)])

    await guard.run(peer.answer)

    assert peer.attempts[1][1] - peer.attempts[0][1] == pytest.approx(
        7.6
    )  # the attempt 0.1, the wait 7, jitter 0.5


async def test_a_wait_beyond_the_deadline_is_not_begun(guard, autojump_clock):
    """With 5 s left and 7 s asked for, the failure itself is reported, at once."""
    peer = Peer([busy(retry_after_s=7.0)])

    with trio.fail_after(5), pytest.raises(ProviderBusyError):
        await guard.run(peer.answer)

    assert trio.current_time() == pytest.approx(peer.attempts[0][1] + 0.1)


async def test_an_open_breaker_refuses_at_once(guard, breaker, autojump_clock):
    """The peer is not asked, and the refusal says when to come back."""
    for _ in range(2):
        with pytest.raises(BadAnswerError):
            await guard.run(Peer([BadAnswerError("empty") for _ in range(9)]).answer)
    peer = Peer([])

    with pytest.raises(ProviderBusyError, match="failed 5 times in a row") as caught:
        await guard.run(peer.answer)

    assert peer.attempts == []
    assert caught.value.retry_after_s == pytest.approx(60, abs=5)


async def test_the_breaker_opening_meanwhile_ends_the_retries_with_the_real_error(
    guard, breaker, autojump_clock
):
    """Who was trying is told what went wrong, not that a breaker is open."""
    breaker.failures = 4

    with pytest.raises(BadAnswerError):
        await guard.run(Peer([BadAnswerError("empty") for _ in range(9)]).answer)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (ProviderBusyError, "rate_limit"),
        (ProviderBusyError, "concurrency"),
        (BadAnswerError, "length"),
    ],
)
async def test_what_we_ask_too_much_of_does_not_blame_the_peer(
    guard, breaker, kind, reason, autojump_clock
):
    """Being told to slow down, or an answer that our own limit cut before its first word, shows that the service is alive."""
    with pytest.raises(kind):
        await guard.run(Peer([kind("no", details={"reason": reason}) for _ in range(9)]).answer)

    assert breaker.pristine


async def test_a_refusal_does_not_blame_the_peer(guard, breaker, autojump_clock):
    """A bad request says nothing against the service."""
    with pytest.raises(ProviderRefusedError):
        await guard.run(Peer([ProviderRefusedError("policy")]).answer)

    assert breaker.pristine


async def test_a_timeout_blames_the_peer(guard, breaker, autojump_clock):
    """Each attempt that ran into a limit counts."""
    with pytest.raises(ProviderTimeoutError):
        await guard.run(Peer([ProviderTimeoutError("late") for _ in range(9)]).answer)

    assert breaker.failures == 4


async def half_open(breaker):
    for _ in range(5):
        breaker.settle(breaker.admit(0.0), "failure", trio.current_time())
    await trio.sleep(60)


UNSENT = [
    ProviderRefusedError("images only as data", details={"reason": "bad_request"}),
    ProviderAuthError("the key holds characters that no key has"),
    ProviderNetworkError("no such URL", details={"reason": "unsendable", "max_attempts": 1}),
]


@pytest.mark.parametrize("refusal", UNSENT)
async def test_a_probe_that_was_not_sent_counts_as_nothing(guard, breaker, refusal, autojump_clock):
    """Our own refusal does not close the breaker, does not open it anew, and leaves the probe's place to the next."""
    await half_open(breaker)

    with pytest.raises(type(refusal)):
        await guard.run(Peer([refusal]).answer)

    assert breaker.state(trio.current_time()) == "half open"
    assert await guard.run(Peer([]).answer) == "an answer"
    assert breaker.pristine


@pytest.mark.parametrize("refusal", UNSENT)
async def test_what_was_not_sent_leaves_the_count_of_failures_alone(
    guard, breaker, refusal, autojump_clock
):
    """It says nothing: neither one more failure, nor an end of the row of failures."""
    breaker.failures = 4

    with pytest.raises(type(refusal)):
        await guard.run(Peer([refusal]).answer)

    assert breaker.failures == 4


async def test_a_probe_that_the_peer_refused_closes_the_breaker(guard, breaker, autojump_clock):
    """It answered, and so it is well; its status tells its refusals from ours."""
    await half_open(breaker)

    with pytest.raises(ProviderRefusedError):
        await guard.run(Peer([ProviderRefusedError("no", details={"status": 400})]).answer)

    assert breaker.pristine


async def test_each_move_of_the_breaker_is_told_once(breaker, autojump_clock):
    """Several requests that fail together open it once; its probe, and what comes of that, are moves too."""
    moves = []
    guard = Guard(
        name="x",
        breaker=breaker,
        random=lambda: 1.0,
        retrying=lambda *_: None,
        moved=lambda *move: moves.append(move),
    )

    async def fail():
        with pytest.raises(ProviderBusyError):
            await guard.run(Peer([busy() for _ in range(9)]).answer)

    async with trio.open_nursery() as asking:
        for _ in range(9):
            asking.start_soon(fail)
    await trio.sleep(61)
    await guard.run(Peer([]).answer)

    assert [("closed", "open"), ("open", "half open"), ("half open", "closed")] == moves


async def test_a_cancelled_call_counts_as_nothing(guard, breaker, autojump_clock):
    """Neither success nor failure, and the probe's place is free again."""
    await half_open(breaker)

    with trio.move_on_after(0.05):
        await guard.run(Peer([]).answer)

    assert breaker.state(trio.current_time()) == "half open"
    assert await guard.run(Peer([]).answer) == "an answer"


async def test_cancelling_anywhere_leaves_the_breaker_as_it_was(
    autojump_clock, cancel_at_every_step
):
    """At every scheduler step of attempts and waits."""
    breaker = Breaker(threshold=50, open_s=60.0)

    async def scenario():
        breaker.failures = 0
        guard = Guard(name="x", breaker=breaker, random=lambda: 0.5, retrying=lambda *_: None)
        await guard.run(Peer([busy(), busy()]).answer)

    def invariant():
        assert breaker.failures <= 2
        assert breaker.state(trio.current_time()) == "closed"
        assert not breaker._probing

    steps = await cancel_at_every_step(scenario, invariant)

    assert steps > 3
