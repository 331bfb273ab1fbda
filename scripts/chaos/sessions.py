"""Scenarios of one session: the same id again and again, and a token that is changed while calls run."""

import json
import secrets

import trio

from .caller import LOST, Caller, Refused
from .trial import Trial
from .world import open_world


async def duplicate_ids(trial: Trial) -> None:
    """One id many times, at once and later: one execution and one answer's text; with other arguments a refusal."""
    async with open_world() as world:
        await world.daemon()
        caller = Caller()
        async with caller.connected(world.port):
            for _ in trial.rounds():
                mark = trial.mark()
                asked = {"prompt": f"{mark} [[simulate: delay=0.05]]", "use_websearch": False}
                for _ in range(3):
                    await caller.call(mark, "chat", **asked)
                first = await caller.outcome(mark)
                await caller.call(mark, "chat", **asked)
                again = await caller.outcome(mark, count=2)
                trial.accepted += 1
                trial.answered += first is not None
                trial.hold(first and first["ok"], f"{mark}: {json.dumps(first)[:300]}")
                trial.hold(
                    first and again and first["outputs"] == again["outputs"],
                    f"{mark}: another outcome",
                )
                await caller.call(mark, "chat", prompt="something else")
                refused = await caller.outcome(mark, count=3)
                reason = ((refused or {}).get("error") or {}).get("details", {}).get("reason")
                trial.hold(reason == "request_id_reused", f"{mark}: {json.dumps(refused)[:300]}")
                await trial.count(world, most=1)
                caller.forget()


async def token_change(trial: Trial) -> None:
    """The token is changed while calls run: they are answered; newcomers need the new one, and are refused with the old."""
    token = secrets.token_hex(16)
    async with open_world(EXAI_WS_TOKEN=token) as world:
        await world.daemon()
        for _ in trial.rounds():
            caller, new = Caller(token=token), secrets.token_hex(16)
            async with caller.connected(world.port):
                marks = [trial.mark() for _ in range(4)]
                for mark in marks:
                    await caller.call(mark, "chat", prompt=f"{mark} [[simulate: delay=0.1]]", use_websearch=False)  # fmt: skip
                await caller.say("rotate_token", old=token, new=new, request_id="rotate")
                said = await caller.other("rotate_token_res")
                trial.hold(said and said["ok"], f"not rotated: {said}")
                for mark in marks:
                    found = await caller.outcome(mark)
                    trial.accepted += 1
                    trial.answered += found is not None
                    trial.hold(found and found["ok"], f"{mark}: {json.dumps(found)[:300]}")
            trial.hold(not await _welcome(world.port, token), "the old token still opens")
            trial.hold(await _welcome(world.port, new), "the new token does not open")
            token = new
            await trial.count(world, most=1)


async def _welcome(port: int, token: str) -> bool:
    try:
        async with Caller(token=token).connected(port):
            return True
    except (Refused, *LOST, trio.TooSlowError):
        return False
