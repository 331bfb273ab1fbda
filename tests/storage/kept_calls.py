"""Calls and outcomes as the journal keeps them."""

import random

import attrs

from exai_trio.storage.journal import KeptCall, KeptOutcome


def call(request="1", **fields):
    kept = KeptCall(
        session="s",
        request=request,
        principal="token",
        resumable=True,
        seq=1,
        frame="{}",
        roots=(),
        timeout=60.0,
        at=0.0,
    )
    return attrs.evolve(kept, **fields)


def outcome(size=10):
    """As long on disk as it is: no compression makes it much shorter."""
    noise = random.Random(size).randbytes(size)  # noqa: S311  # no secret
    return KeptOutcome(seq=2, frame=noise.decode("latin-1"), at=1.0)
