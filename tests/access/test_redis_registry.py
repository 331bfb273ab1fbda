"""Tokens as Redis keeps them: what is written into an entry is what is read from it, and a Redis that is late or broken is named."""

import attrs
import pytest
import trio
from token_registries import NOW, issued

from exai_trio.access import redis_connection, redis_scripts as lua
from exai_trio.access.redis_connection import RedisConnection
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.token_registry import Quota
from exai_trio.errors import ArgumentError, StorageError

TOKEN = issued(quota=Quota(calls_per_minute=3, concurrent=2, tokens_per_day=10))


@attrs.define
class Client:
    """Answers each script from a table; an exception is raised, a number of seconds is slept before."""

    answers: dict = attrs.field(factory=dict)
    asked: list = attrs.field(factory=list)
    slow_s: float = 0.0

    async def eval(self, script, keys, values):
        self.asked.append((script, keys, values))
        return await self._answer(script)

    async def info(self, section):
        return await self._answer(section)

    async def _answer(self, question):
        await trio.sleep(self.slow_s)
        answer = self.answers.get(question)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def registry(client):
    return RedisRegistry(RedisConnection(client, (OSError,), "exai:prod", most_s=60.0))


def as_kept(client):
    """The entry that was written, as Redis keeps it: names and values as text, in turn."""
    script, _, (_, _, _, *fields) = client.asked[-1]
    assert script == lua.ADD
    return [str(field) for field in fields]


@pytest.mark.parametrize("token", [
    TOKEN,
    issued(role="admin", scope="read"),
    attrs.evolve(TOKEN, revoked_at=NOW + 1, used_at=NOW + 2, used_from="::1"),
], ids=["with limits", "plain", "used and revoked"])  # fmt: skip
@pytest.mark.parametrize("form", [list, dict])
async def test_what_is_written_is_what_is_read(client, registry, token, form):
    """In either form in which a script's answer comes; with the cut of its subject, if there is one."""
    await registry.add(token)
    kept = as_kept(client)
    entry = kept if form is list else dict(zip(kept[::2], kept[1::2], strict=True))
    client.answers |= {lua.LOOK_UP: [entry, "12.5"], lua.ALL: [[], entry]}
    found = await registry.look_up(token.id, token.subject)

    assert (token, 12.5) == (found.token, found.all_revoked_at)
    assert (token,) == await registry.all()


async def test_an_unknown_token_is_none(client, registry):
    client.answers[lua.LOOK_UP] = [[], None]
    found = await registry.look_up("t9", "nobody")

    assert (None, None) == (found.token, found.all_revoked_at)
    assert ["exai:prod:token:t9", "exai:prod:cut:nobody"] == client.asked[-1][1]


async def test_changes_since_then_are_tokens_and_cuts(client, registry):
    """An entry that is gone, and a cut that has ended, are none."""
    await registry.add(TOKEN)
    kept = as_kept(client)
    client.answers[lua.CHANGES] = [
        7, ["tt1", kept], ["tgone", []], ["sann", "12.5"], ["sbob", None],
    ]  # fmt: skip
    found = await registry.changes(3)

    assert (7, (TOKEN,), {"ann": 12.5}) == (found.number, found.tokens, found.subjects)
    assert 3 == client.asked[-1][2][0]


async def test_what_has_ended_is_swept_with_its_names(client, registry):
    """Only those; the keys are theirs."""
    entries = []
    for token in (TOKEN, issued("old", "bob", ends=NOW - 10)):
        await registry.add(token)
        entries.append(as_kept(client))
    client.answers[lua.ALL] = entries

    assert 1 == await registry.sweep(NOW)
    assert ["exai:prod:tokens", "exai:prod:token:old", "exai:prod:of:bob"] == client.asked[-1][1]


async def test_uses_limits_and_revocations_are_told_by_their_entries(client, registry):
    """What a script says of them is believed."""
    client.answers |= {lua.REVOKE: 1, lua.REVOKE_ALL: 2, lua.CHANGE: 0}
    await registry.note_uses({"t1": (NOW, "::1"), "t2": (NOW, "::2")})
    uses = client.asked[-1]
    changed = await registry.set_quota("t1", Quota(concurrent=4))

    assert (["exai:prod:token:t1", "exai:prod:token:t2"], [NOW, "::1", NOW, "::2"]) == uses[1:]
    assert not changed
    assert ["t1", "calls_per_minute", 0, "concurrent", 4, "tokens_per_day", 0] == client.asked[-1][2]  # fmt: skip
    assert await registry.revoke("t1", NOW)
    assert 2 == await registry.revoke_all("ann", NOW, NOW + 60)
    assert ["ann", NOW, 60, "exai:prod:token:"] == client.asked[-1][2]


async def test_a_rate_is_waited_for_in_seconds(client, registry):
    """Redis counts in milliseconds; each call has a name of its own."""
    client.answers |= {lua.RATE: "250", lua.RATE_NOW: "3"}
    waits = [await registry.wait_s("ann", 5) for _ in range(2)]
    names = {values[1] for _, _, values in client.asked}

    assert [0.25, 0.25] == waits
    assert 2 == len(names)
    assert 3 == await registry.counted("ann")


async def test_a_redis_that_is_late_is_not_waited_for(client, autojump_clock):
    """On a client's way 50 ms; where no client waits, seconds. The fault names the setting and when to ask again."""
    registry = RedisRegistry(RedisConnection(client, (OSError,), "exai:prod"))
    client.slow_s = 0.1
    client.answers[lua.CHANGES] = [1]
    with pytest.raises(StorageError, match=r"REDIS_URL\) cannot be asked: no answer within 50 ms") as fault:  # fmt: skip
        await registry.look_up("t1", "ann")

    assert 1 == (await registry.changes(0)).number
    assert 1.0 == fault.value.retry_after_s


async def test_a_redis_that_breaks_is_named_with_its_fault(client, registry):
    """Its policy is told as it stands."""
    client.answers["memory"] = {"maxmemory_policy": "noeviction"}
    policy = await registry._redis.policy()
    client.answers["memory"] = ConnectionResetError("gone")
    with pytest.raises(StorageError, match="ConnectionResetError: gone"):
        await registry._redis.policy()

    assert "noeviction" == policy


def test_a_certificate_that_cannot_be_used_is_named(tmp_path):
    """The setting and the file, before Redis is asked; without rediss:// none is looked for."""
    missing = tmp_path / "ca.pem"
    with pytest.raises(ArgumentError, match=f"ssl_ca_certs={missing} cannot be used") as fault:
        redis_connection._encrypted(f"rediss://there?ssl_ca_certs={missing}")

    assert {"field": "REDIS_URL"} == fault.value.details
    assert {} == redis_connection._encrypted(f"redis://there?ssl_ca_certs={missing}")
