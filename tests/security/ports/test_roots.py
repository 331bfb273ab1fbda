"""Which directories a client's tools may read, whatever the client says of itself."""

from itertools import product
from pathlib import Path

import jwt
import pytest

from exai_trio.wire.messages import CallAccepted, CallTool

SECRET = "a shared secret of at least 32 bytes"
SETTING = (Path("/allowed"), Path("/also"))
WORDS = {
    "anyone": ({}, {}),
    "token": ({"ws_token": "right-right-right"}, {"token": "right-right-right"}),
    "jwt": (
        {"jwt_secret_key": SECRET},
        {"jwt": jwt.encode({"sub": "ann", "exp": 4_000_000_000}, SECRET)},
    ),
}
NAMED = [None, [], ["/"], ["/project"], ["/allowed/part", "/etc"], ["/allowed/../etc"], ["relative"]]  # fmt: skip


@pytest.mark.parametrize("who", WORDS)
@pytest.mark.parametrize("setting", [(), SETTING], ids=["no setting", "setting"])
async def test_the_setting_bounds_every_client(house, autojump_clock, who, setting):
    """Where it is set, nothing else is read, and all of it by whoever names no roots. Where it is not, the owner of the home
    says what is read, and a JWT's subject reads nothing."""
    settings, words = WORDS[who]
    found = {}
    async with house(allowed_roots=setting, **settings) as daemon:
        for number, (hello, call) in enumerate(product(NAMED, NAMED)):
            session, roots = f"win{number}", {} if hello is None else {"roots": hello}
            async with daemon.connect(session_id=session, **words, **roots) as (client, ack):
                asked = CallTool(request_id="r", name="nap", arguments={"seconds": 9}, roots=call)
                await client.say(asked)
                await client.hear_until(CallAccepted)
                named = call if call is not None else hello or []
                own = () if who == "jwt" else tuple(Path(one) for one in named if one[0] == "/")
                roots = daemon.sessions.table[ack.session_id].calls.table["r"].roots
                found[str(hello), str(call)] = (setting or own) == roots

    assert {True} == set(found.values()), [row for row, fine in found.items() if not fine]
    assert len(NAMED) ** 2 == len(found)
