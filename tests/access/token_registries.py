"""A registry in memory, which passes the same contract tests as the others."""

import attrs
import trio

from exai_trio.access.token_registry import Changes, IssuedToken, Standing


@attrs.define
class MemoryRegistry:
    """TokenRegistry in tables; `fault` is raised by whatever is asked."""

    tokens: dict = attrs.field(factory=dict)
    changed: dict = attrs.field(factory=dict)
    cuts: dict = attrs.field(factory=dict)
    number: int = 0
    asked: int = 0
    fault: Exception | None = None

    async def _turn(self):
        await trio.lowlevel.checkpoint()
        self.asked += 1
        if self.fault is not None:
            raise self.fault

    def _change(self, name):
        self.number += 1
        self.changed[name] = self.number

    async def add(self, token):
        await self._turn()
        self.tokens[token.id] = token
        self._change(token.id)

    async def look_up(self, token_id, subject):
        await self._turn()
        cut = self.cuts.get(subject)
        return Standing(self.tokens.get(token_id), cut and cut[0])

    async def all(self):
        await self._turn()
        return tuple(sorted(self.tokens.values(), key=lambda one: (one.issued_at, one.id)))

    async def revoke(self, token_id, at):
        await self._turn()
        token = self.tokens.get(token_id)
        if token is None or token.revoked_at is not None:
            return False
        self.tokens[token_id] = attrs.evolve(token, revoked_at=at)
        self._change(token_id)
        return True

    async def revoke_all(self, subject, at, until):
        await self._turn()
        good = [
            one for one in self.tokens.values()
            if one.subject == subject and one.revoked_at is None and one.ends > at
        ]  # fmt: skip
        for token in good:
            self.tokens[token.id] = attrs.evolve(token, revoked_at=at)
            self._change(token.id)
        self.cuts[subject] = (at, until)
        self._change(("cut", subject))
        return len(good)

    async def set_quota(self, token_id, quota):
        await self._turn()
        if token_id not in self.tokens:
            return False
        self.tokens[token_id] = attrs.evolve(self.tokens[token_id], quota=quota)
        self._change(token_id)
        return True

    async def note_uses(self, uses):
        await self._turn()
        for token_id, (at, origin) in uses.items():
            if token_id in self.tokens:
                token = self.tokens[token_id]
                self.tokens[token_id] = attrs.evolve(token, used_at=at, used_from=origin)

    async def changes(self, since):
        await self._turn()
        newer = sorted(
            (name for name, number in self.changed.items() if number > since), key=self.changed.get
        )
        tokens = tuple(self.tokens[name] for name in newer if name in self.tokens)
        cuts = {name[1]: self.cuts[name[1]][0] for name in newer if isinstance(name, tuple)}
        return Changes(number=self.number, tokens=tokens, subjects=cuts)

    async def sweep(self, before):
        await self._turn()
        old = [one.id for one in self.tokens.values() if one.ends < before]
        cuts = [name for name, (_, until) in self.cuts.items() if until < before]
        for name in old:
            del self.tokens[name]
        for name in cuts:
            del self.cuts[name]
        return len(old) + len(cuts)


NOW = 1_790_000_000.0


def issued(name="t1", subject="ann", **fields):
    given = {
        "role": "user",
        "scope": "",
        "key_id": "k",
        "issued_at": NOW,
        "ends": NOW + 3600,
    } | fields
    return IssuedToken(id=name, subject=subject, **given)
