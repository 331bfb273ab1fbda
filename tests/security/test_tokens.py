"""One rule for tokens wherever they come from, and nobody's lasts longer than it says."""

import base64
import json
import math
import random
import string
from pathlib import Path

import attrs
import jwt
import pytest

from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Tokens
from exai_trio.daemon.connections.identity import Identity
from exai_trio.errors import ArgumentError, UnauthorizedError
from exai_trio.settings.load import load
from exai_trio.transport.client_auth import credentials
from exai_trio.transport.peer_identity import Ends
from exai_trio.transport.token_file import named_token

SECRET = "a secret that is long enough for its algorithm"
OLD, NEW = "old-token-of-us-all", "new-token-of-us-all"
NOW = 1_790_000_000
EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing is bound
PRINTABLE = string.ascii_letters + string.digits + string.punctuation


@attrs.define
class Home:
    """A home that keeps what it is given."""

    token: str
    kept: object = None

    async def replace_token(self, token):
        self.token = token

    async def keep_rotation(self, rotation):
        self.kept = rotation


def _tokens() -> list[str]:
    dice = random.Random(12)  # noqa: S311  # the same tokens every time
    lengths = [*range(1, 20), 31, 32, 64, 100, 254, 255, 256, 257, 258, 300, 4096]
    good = ["".join(dice.choices(PRINTABLE, k=length)) for length in lengths for _ in range(2)]
    endless = [(text * 1300)[:5_000_000] for text in good[-2:]]
    spoilt = [
        text[:place] + sign + text[place:]
        for sign in " \t\n\r\0\x1b\x7f\u00a0éß中\u202e\U0001f511\ud800"
        for length in (8, 20, 200)
        for text in ["".join(dice.choices(PRINTABLE, k=length))]
        for place in (length // 2, length - 1)
    ]
    blank = [" " * length for length in (1, 16, 20, 256)]
    return [
        *good,
        *endless,
        *spoilt,
        *blank,
        "none-of-your-business",
        "NONESUCH",
        '"quoted-and-long"',
    ]


TOKENS = _tokens()
NAMES = [f"{number}: {text[:12]!a} of {len(text)}" for number, text in enumerate(TOKENS)]


def _possible(text: str) -> bool:
    return 0 < len(text) <= 256 and set(text) <= set(PRINTABLE)


def test_enough_tokens():
    """The table is not picked by hand."""
    assert len(TOKENS) >= 150


@pytest.mark.parametrize("token", TOKENS, ids=NAMES)
def test_one_rule_for_tokens_wherever_they_come_from(tmp_path, token):
    """16 to 256 printable characters; a shorter one is a warning on loopback, and nowhere else allowed. None is repeated."""
    text = token.strip()
    possible, good = _possible(text), _possible(text) and len(text) >= 16
    here = load({}, {"EXAI_WS_TOKEN": token})
    there = load({}, {"EXAI_WS_TOKEN": token, "EXAI_WS_HOST": EVERYWHERE})
    found = {
        "here": not here.faults,
        "warned": any("EXAI_WS_TOKEN has fewer" in line for line in here.warnings),
        "there": not there.faults,
        "file here": _from_file(tmp_path, token, on_loopback=True),
        "file there": _from_file(tmp_path, token, on_loopback=False),
    }
    said = "\n".join([*map(str, (*here.faults, *there.faults)), *here.warnings, *there.warnings])

    assert found == {
        "here": possible or not text,
        "warned": possible and not good,
        "there": good,
        "file here": possible,
        "file there": good,
    }
    assert len(text) < 8 or text not in said


def _from_file(tmp_path: Path, token: str, *, on_loopback: bool) -> bool:
    (tmp_path / "token").write_bytes(token.encode(errors="surrogatepass"))
    try:
        return named_token(tmp_path / "token", on_loopback=on_loopback) == token.strip()
    except ArgumentError:
        return False


@pytest.mark.parametrize("token", TOKENS, ids=NAMES)
async def test_a_rotated_token_keeps_the_rule(token):
    """What could not be set cannot be rotated to either: blank, short, long, or not printable."""
    tokens = Tokens(Config(ws_token=OLD))
    allowed = _possible(token) and len(token) >= 16
    if allowed:
        await tokens.rotate(OLD, token, Identity("token"))
    else:
        with pytest.raises(ArgumentError) as refused:
            await tokens.rotate(OLD, token, Identity("token"))
        assert len(token) < 8 or token not in str(refused.value)

    assert "token" == tokens.principal(token if allowed else OLD, None)


@pytest.mark.parametrize("token", ["", None, *TOKENS], ids=["", "None", *NAMES])
def test_any_token_of_a_hello_is_let_in_or_refused(token):
    """Nothing but the right one gets in, and nothing raises anything else."""
    for config in (Config(ws_token=OLD), Config(jwt_secret_key=SECRET), Config()):
        for shown in ((token, None), (None, token), (token, token)):
            with pytest.raises(UnauthorizedError):
                Tokens(config, Home(NEW)).identify(*shown)


@pytest.mark.parametrize("spelling", ["none", "NONE", "None"])
def test_none_is_for_loopback_only(spelling):
    """It switches the token off, where others could come from elsewhere not at all."""
    here = load({}, {"EXAI_WS_TOKEN": spelling})
    (fault,) = load({}, {"EXAI_WS_TOKEN": spelling, "EXAI_WS_HOST": EVERYWHERE}).faults

    assert ((), (), True) == (here.faults, here.warnings, here.config.admits_anyone)
    assert "EXAI_WS_HOST" == fault.variable


def test_a_token_and_a_file_for_one_contradict_each_other():
    """Which of them would be meant?"""
    (fault,) = load({}, {"EXAI_WS_TOKEN": OLD, "EXAI_WS_TOKEN_FILE": "/x"}).faults

    assert "EXAI_WS_TOKEN_FILE" == fault.variable


@pytest.mark.parametrize(("size", "fits"), [(1, False), (31, False), (32, True), (64, True)])
def test_a_key_for_jwts_has_32_bytes(size, fits):
    """Also on loopback: it can be guessed without asking us. A shorter one is another program's, and lets nobody in."""
    config = load({}, {"JWT_SECRET_KEY": "k" * size}).config

    assert fits == bool(config.jwt_secret_key)


# JWTs

GOOD = {"sub": "ann", "exp": NOW + 60}
UNFIT_CLAIMS = [
    *({key: value for key, value in GOOD.items() if key != left} for left in GOOD),
    *({**GOOD, "exp": exp} for exp in (NOW - 10, NOW - 11, 0, -1, True, False, None, "soon", "", [], {}, [NOW + 60], "1" * 5000, str(NOW + 60), math.nan, math.inf, -math.inf)),
    *({**GOOD, "sub": sub} for sub in ("", " ", "\t\n", None, 7, True, [], ["ann"], {})),
    {}, {"exp": NOW + 60}, {"sub": "ann"}, {**GOOD, "nbf": 2**40}, {**GOOD, "nbf": "x"}, {**GOOD, "iat": "x"},
    {**GOOD, "pad": "x" * 9000},
]  # fmt: skip


@pytest.mark.parametrize("claims", UNFIT_CLAIMS, ids=lambda claims: json.dumps(claims)[:60])
def test_a_jwt_says_who_it_is_and_until_when(claims):
    """Without `sub` or `exp`, or with what is none, it is refused as a wrong one is."""
    with pytest.raises(UnauthorizedError):
        _doors().identify(None, _signed(claims))


def _signed(claims: object) -> str:
    return jwt.api_jws.encode(json.dumps(claims).encode(), SECRET)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _doors(**settings) -> Tokens:
    return Tokens(Config(jwt_secret_key=SECRET, **settings), now=lambda: NOW)


WHOLE = jwt.encode(GOOD, SECRET)
HEAD, BODY, SIGN = WHOLE.split(".")
HEADS = [
    b"{}",
    b'{"alg":"none"}',
    b"[" * 5000,
    b'{"alg":' + b"[" * 4000,
    b'{"alg":"HS256","crit":["x"]}',
    b'{"alg":"HS256","kid":7}',
    b"\xff",
]
FORGED = [
    "", ".", "..", "...", "a.b.c", HEAD, f"{HEAD}.{BODY}", f"{HEAD}.{BODY}.", f"{HEAD}.{BODY}.{SIGN}x", f"{HEAD}.{BODY}.{SIGN[:-4]}",
    *(f"{_b64(head)}.{BODY}.{SIGN}" for head in HEADS), f"{HEAD}.{_b64(b'[' * 4000)}.{SIGN}", "\ud800.a.b", "é.é.é", "\0",
    jwt.encode(GOOD, SECRET + "!"), jwt.encode(GOOD, SECRET * 2, algorithm="HS512"), WHOLE + " " * 9000, "x" * 2_000_000,
]  # fmt: skip


@pytest.mark.parametrize("encoded", FORGED, ids=lambda text: f"{len(text)} {text[:20]!a}")
def test_what_is_no_jwt_of_ours_is_refused_in_one_way(encoded):
    """Whatever a stranger sends, it is UnauthorizedError and no fault of ours."""
    with pytest.raises(UnauthorizedError):
        _doors().identify(None, encoded)


@pytest.mark.parametrize("exp", [NOW + 1, NOW + 0.5, 10**400, 2**63])
def test_an_end_that_is_a_number_is_kept(exp):
    """Also one that no clock will ever show."""
    identity = _doors().identify(None, _signed({**GOOD, "exp": exp}))

    assert "jwt:ann" == identity.principal
    assert NOW <= identity.ends <= 2**53


def test_a_client_that_signs_for_itself_keeps_the_rule():
    """What our own clients sign has an end and a subject."""
    config = Config(jwt_secret_key=SECRET)
    shown = credentials(config, Ends(("127.0.0.1", 1), ("127.0.0.1", 2)))

    assert "jwt:exai" == Tokens(config).principal(shown.token, shown.jwt)


def test_a_client_shows_an_issued_token_as_its_token(tmp_path):
    """Longer than a shared one may be; from a variable, and from a file that is read at each connect."""
    issued = jwt.encode({**GOOD, "jti": "t" * 64, "role": "viewer", "pad": "x" * 300}, SECRET)
    file = tmp_path / "token"
    file.write_text(f"{issued}\n")
    near = Ends(("127.0.0.1", 1), ("127.0.0.1", 2))
    shown = [
        credentials(load({}, given).config, near)
        for given in ({"EXAI_WS_TOKEN": issued}, {"EXAI_WS_TOKEN_FILE": str(file)})
    ]

    assert len(issued) > 256
    assert [issued, issued] == [one.token for one in shown]
    assert "jwt:ann" == _doors().identify(shown[0].token, None).principal
