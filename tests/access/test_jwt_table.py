"""What becomes of every kind of token: one table, each row with its end."""

import base64
import json
from functools import cache

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Tokens
from exai_trio.errors import UnauthorizedError

NOW = 1_790_000_000
SECRET = "the secret key of tokens that name none"
OCT, OCT512 = b"o" * 64, b"p" * 64
GOOD = {"sub": "ann", "exp": NOW + 60}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def private():
    return {
        "rs": rsa.generate_private_key(65537, 2048),
        "es": ec.generate_private_key(ec.SECP256R1()),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


def jwks() -> dict:
    pairs = (("rs", RSAAlgorithm, "RS256"), ("es", ECAlgorithm, "ES256"), ("ed", OKPAlgorithm, "EdDSA"))  # fmt: skip
    public = [
        {**kind.to_jwk(private()[name].public_key(), as_dict=True), "kid": name, "alg": algorithm}
        for name, kind, algorithm in pairs
    ]
    octs = [
        {"kty": "oct", "k": b64(OCT), "kid": "hs", "alg": "HS256"},
        {"kty": "oct", "k": b64(OCT512), "kid": "hs512", "alg": "HS512"},
        {"kty": "oct", "k": b64(b"r" * 64), "kid": "old", "alg": "HS256", "exai_retired_at": NOW},
    ]
    return {"keys": [*octs, *public]}


def signed(claims, key=SECRET, algorithm="HS256", **head) -> str:
    """A token of these claims, or of this text."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jwt.api_jws.encode(payload, key, algorithm, headers=head or None)


def forged(head: object, claims: object = GOOD, signature: bytes = b"x" * 32) -> str:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return f"{b64(text)}.{b64(json.dumps(claims).encode())}.{b64(signature)}"


def confused(kid: str) -> str:
    """Signed by HMAC with the public key that everybody has."""
    import hmac

    from cryptography.hazmat.primitives import serialization as form

    pem = private()[kid].public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)  # fmt: skip
    head = b64(json.dumps({"alg": "HS256", "kid": kid}).encode())
    body = b64(json.dumps(GOOD).encode())
    return f"{head}.{body}.{b64(hmac.digest(pem, f'{head}.{body}'.encode(), 'sha256'))}"


def by_key() -> list[tuple[str, str, bool]]:
    keys = {"rs": "RS256", "es": "ES256", "ed": "EdDSA", "hs": "HS256", "hs512": "HS512"}
    secrets = {**private(), "hs": OCT, "hs512": OCT512}
    rows = [
        (f"{signer} named {named} by {keys[signer]}", signed(GOOD, secrets[signer], keys[signer], kid=named), signer == named)
        for signer in keys for named in keys
    ]  # fmt: skip
    rows += [(f"the secret named {kid}", signed(GOOD, kid=kid), False) for kid in keys]
    rows += [
        (f"{kid} without a name", signed(GOOD, secrets[kid], keys[kid]), False) for kid in keys
    ]
    rows += [(f"the public key of {kid} as a secret", confused(kid), False) for kid in private()]
    rows += [
        (f"alg none for {kid}", forged({"alg": alg, "kid": kid}, signature=b""), False)
        for kid in keys for alg in ("none", "None", "NONE", "nOnE", "")
    ]  # fmt: skip
    rows += [("a key of HS256 by HS512", signed(GOOD, OCT, "HS512", kid="hs"), False)]
    rows += [("a key of HS512 by HS256", signed(GOOD, OCT512, "HS256", kid="hs512"), False)]
    rows += [("the secret by HS512", signed(GOOD, SECRET * 2, "HS512"), False)]
    rows += [
        (f"a head that says {name}", lying(name), name == "HS256")
        for name in ("HS256", "HS512", "none", "RS256")
    ]
    rows += [("a retired key", signed(GOOD, b"r" * 64, kid="old"), False)]
    return rows


def lying(algorithm: str) -> str:
    """Signed by its key as that signs, and its head names another algorithm."""
    import hmac

    text = f"{b64(json.dumps({'alg': algorithm, 'kid': 'hs'}).encode())}.{b64(json.dumps(GOOD).encode())}"
    return f"{text}.{b64(hmac.digest(OCT, text.encode(), 'sha256'))}"


NAMES_OF_KEYS = ("", "../hs", "hs/../hs", "/etc/passwd", "HS", "hs ", " hs", "hs\0", "h" * 5000, "é", "keys", "0", "*", "hs' OR '1'='1")  # fmt: skip
NO_NAMES = (7, None, True, ["hs"], {"kid": "hs"}, 1.5)


def by_name() -> list[tuple[str, str, bool]]:
    rows = [(f"kid {kid[:9]!a}", signed(GOOD, OCT, kid=kid), False) for kid in NAMES_OF_KEYS]
    rows += [(f"kid {kid!r}", forged({"alg": "HS256", "kid": kid}), False) for kid in NO_NAMES]
    heads = (
        {}, {"alg": None}, {"alg": ["HS256"]}, {"typ": "JWT"}, {"alg": "HS256", "jwk": {"kty": "oct", "k": b64(OCT)}},
        {"alg": "HS256", "crit": ["exp"]}, {"alg": "HS256", "b64": False}, {"alg": "HS256", "jku": "http://127.0.0.1/"},
    )  # fmt: skip
    rows += [(f"head {head}", forged(head), False) for head in heads]
    twice = b'{"alg":"HS256","alg":"HS256"}'
    return [*rows, ("a head that says alg twice", forged(twice), False)]


def by_times() -> list[tuple[str, str, bool]]:
    ends = ((0, True), (-1, True), (-9.5, True), (-10, False), (-11, False), (-3600, False), (1, True), (2**40, True))  # fmt: skip
    rows = [(f"exp {by:+}", signed({**GOOD, "exp": NOW + by}), fits) for by, fits in ends]
    begins = ((-1, True), (0, True), (10, True), (10.5, False), (11, False), (3600, False))
    rows += [
        (f"{name} {by:+}", signed({**GOOD, name: NOW + by}), fits)
        for name in ("nbf", "iat") for by, fits in begins
    ]  # fmt: skip
    no_times = (None, True, "", "soon", str(NOW + 60), [], {}, [NOW + 60])
    rows += [
        (f"{name} {value!r}", signed({**GOOD, name: value}), False)
        for name in ("exp", "nbf", "iat") for value in no_times
    ]  # fmt: skip
    endless = [b'{"sub":"ann","exp":%s}' % word for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999")]  # fmt: skip
    return [*rows, *((f"{text}", signed(text), False) for text in endless)]


def by_claims() -> list[tuple[str, str, bool]]:
    subjects = (("ann", True), ("Änne", True), ("安", True), ("a b", True), ("x" * 256, True), ("x" * 257, False))  # fmt: skip
    blanks = ("", " ", "\t", "\n", "a\nb", "a\0", "\ud800", None, 7, True, ["ann"], {})
    rows = [(f"sub {sub[:9]!a}", signed({**GOOD, "sub": sub}), fits) for sub, fits in subjects]
    rows += [(f"sub {sub!a}", signed({**GOOD, "sub": sub}), False) for sub in blanks]
    roles = (("viewer", True), ("user", True), ("admin", True), ("Admin", False), ("root", False), ("", False), (None, False), (["admin"], False), (1, False))  # fmt: skip
    rows += [(f"role {role!r}", signed({**GOOD, "role": role}), fits) for role, fits in roles]
    scopes = (("", True), ("terminal", True), (["terminal"], True), (None, False), (7, False), ([7], False), ({}, False))  # fmt: skip
    rows += [(f"scope {scope!r}", signed({**GOOD, "scope": scope}), fits) for scope, fits in scopes]
    ids = (("t1", True), ("", True), (7, False), (None, False), (["t1"], False), ("\n", False), ("x" * 257, False))  # fmt: skip
    rows += [(f"jti {token_id!a:.9}", signed({**GOOD, "jti": token_id}), fits) for token_id, fits in ids]  # fmt: skip
    rows += [
        ("without exp", signed({"sub": "ann"}), False),
        ("without sub", signed({"exp": NOW + 60}), False),
        ("no claims", signed({}), False),
        ("a list", signed([GOOD]), False),
        ("a text", signed("ann"), False),
        ("exp twice", signed(b'{"sub":"ann","exp":1790000060,"exp":1790000060}'), False),
        ("sub twice", signed(b'{"sub":"ann","sub":"bob","exp":1790000060}'), False),
        ("role twice", signed(b'{"sub":"ann","exp":1790000060,"role":"user","role":"admin"}'), False),
        ("not UTF-8", signed(b'{"sub":"\xff","exp":1790000060}'), False),
        ("an audience where none is expected", signed({**GOOD, "aud": "exai"}), False),
        ("written down, without an id", signed({**GOOD, "exai": 1}), False),
        ("the owner's sub with a kid", signed({**GOOD, "sub": "exai"}, OCT, kid="hs"), False),
        ("the owner's sub by the secret", signed({**GOOD, "sub": "exai"}), True),
    ]  # fmt: skip
    return rows


def by_form() -> list[tuple[str, str, bool]]:
    good = signed(GOOD)
    head, body, sign = good.split(".")
    broken = ["", ".", "..", "a.b.c", head, f"{head}.{body}", f"{head}.{body}.", f".{body}.{sign}", f"{good}.", f"{good}=", f" {good}", f"{good}\n", f"{head}.{body}.{sign}A", good[:-1], f"{head}.{body}.é", "é.é.é", good.replace(".", "\0"), f"{head}..{sign}", f"Bearer {good}"]  # fmt: skip
    rows = [(f"form {text[:12]!a}…{len(text)}", text, False) for text in broken]
    sizes = ((8190, True), (8192, True), (8193, False), (8194, False), (100_000, False))
    return [*rows, *((f"{size} bytes", exactly(size), fits) for size, fits in sizes)]


def exactly(size: int) -> str:
    """A good one of so many bytes, or of one more or less where base64 has none."""
    for head in range(3):
        length = (size - 100) * 3 // 4
        for pad in range(length - 120, length + 60):
            token = signed({**GOOD, "pad": "x" * max(pad, 0)}, typ="JWT" + "x" * head)
            if len(token) == size:
                return token
    raise AssertionError(size)


def rows() -> list[tuple[str, str, bool]]:
    return [*by_key(), *by_name(), *by_times(), *by_claims(), *by_form()]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    file.write_text(json.dumps(jwks()))
    file.chmod(0o600)
    return Tokens(Config(jwt_keys_file=file, jwt_secret_key=SECRET), now=lambda: NOW)


@pytest.mark.parametrize("place", ["jwt", "token"])
def test_each_token_has_its_end(tokens, place):
    """Taken or refused as its row says, in either field of a hello; nothing raises anything else."""
    ends = {}
    for name, token, _ in table():
        try:
            ends[name] = (
                tokens.identify(**{"token": None, "jwt": None} | {place: token}) is not None
            )
        except UnauthorizedError:
            ends[name] = False

    assert {name: fits for name, _, fits in table()} == ends


@cache
def table():
    return [(f"{number}: {name}", *rest) for number, (name, *rest) in enumerate(rows())]


def test_the_table_is_long():
    assert len({token for _, token, _ in table()}) >= 150


@pytest.mark.parametrize(
    ("expected", "claims", "fits"),
    [
        ({"jwt_issuer": "us"}, {"iss": "us"}, True),
        ({"jwt_issuer": "us"}, {"iss": "them"}, False),
        ({"jwt_issuer": "us"}, {"iss": ["us"]}, False),
        ({"jwt_issuer": "us"}, {}, False),
        ({"jwt_audience": "exai"}, {"aud": "exai"}, True),
        ({"jwt_audience": "exai"}, {"aud": ["other", "exai"]}, True),
        ({"jwt_audience": "exai"}, {"aud": "other"}, False),
        ({"jwt_audience": "exai"}, {"aud": ["other"]}, False),
        ({"jwt_audience": "exai"}, {"aud": 7}, False),
        ({"jwt_audience": "exai"}, {}, False),
    ],
)
def test_a_token_is_by_and_for_whom_it_must_be(expected, claims, fits):
    doors = Tokens(Config(jwt_secret_key=SECRET, **expected), now=lambda: NOW)
    try:
        found = doors.identify(None, signed({**GOOD, **claims})) is not None
    except UnauthorizedError:
        found = False

    assert fits == found


def test_role_and_scope_are_the_tokens(tokens):
    who = tokens.identify(None, signed({**GOOD, "role": "viewer", "scope": "terminal more"}))

    assert ("jwt:ann", "viewer", {"terminal", "more"}) == (who.principal, who.role, set(who.scopes))
    assert "user" == tokens.identify(None, signed(GOOD)).role


_HS = {"kty": "oct", "k": b64(OCT), "kid": "hs", "alg": "HS256"}
BAD_FILES = {
    "others may read it": (json.dumps({"keys": [_HS]}), 0o640),
    "no JSON": ("{", 0o600),
    "no keys": ("{}", 0o600),
    "an empty list": ('{"keys": []}', 0o600),
    "no kid": (json.dumps({"keys": [{**_HS, "kid": None}]}), 0o600),
    "one kid twice": (json.dumps({"keys": [_HS, _HS]}), 0o600),
    "no alg": (json.dumps({"keys": [{**_HS, "alg": None}]}), 0o600),
    "alg none": (json.dumps({"keys": [{**_HS, "alg": "none"}]}), 0o600),
    "another kind's alg": (json.dumps({"keys": [{**_HS, "alg": "RS256"}]}), 0o600),
    "31 bytes": (json.dumps({"keys": [{**_HS, "k": b64(b"o" * 31)}]}), 0o600),
    "no key": (json.dumps({"keys": [{**_HS, "k": "!"}]}), 0o600),
}


@pytest.mark.parametrize("name", [*BAD_FILES, "missing"])
def test_a_file_of_keys_that_is_of_no_use_stops_the_start(tmp_path, name):
    """It says what is wrong, and repeats nothing of a key."""
    from exai_trio.errors import ArgumentError

    file = tmp_path / "keys.json"
    if name in BAD_FILES:
        text, mode = BAD_FILES[name]
        file.write_text(text)
        file.chmod(mode)
    with pytest.raises(ArgumentError) as refused:
        Tokens(Config(jwt_keys_file=file))

    assert "JWT_KEYS_FILE" in refused.value.message
    assert b64(OCT) not in refused.value.message
