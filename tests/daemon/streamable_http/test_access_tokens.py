"""Access tokens of an authorization server: a small one, which signs what it is asked to, and can be away."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from web import message

from exai_trio.daemon.streamable_http.access_tokens import AccessTokens, InsufficientScope
from exai_trio.errors import UnauthorizedError

NOW = 1_790_000_000.0
ISSUER, RESOURCE = "https://login.example", "https://exai.example/mcp"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": ISSUER, "aud": RESOURCE, "sub": "ada", "exp": NOW + 600, "scope": "read exai"}


def published(key, kid, algorithm):
    maker = RSAAlgorithm if algorithm == "RS256" else ECAlgorithm
    return {**maker.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": algorithm}


class Server:
    """`keys` are what it publishes now; `away`: nobody answers."""

    def __init__(self):
        self.keys = [published(RSA, "r1", "RS256"), published(EC, "e1", "ES256")]
        self.away = False
        self.asked = 0

    async def fetch(self, url):
        if self.away:
            raise OSError("nobody answers")
        if url == f"{ISSUER}/.well-known/oauth-authorization-server":
            return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        assert url == f"{ISSUER}/keys"
        self.asked += 1
        return {"keys": self.keys}


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def tokens(server):
    return AccessTokens(
        issuer=ISSUER, resource=RESOURCE, scope="exai", fetch=server.fetch, now=lambda: NOW
    )


def signed(key=RSA, kid="r1", algorithm="RS256", **claims):
    told = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.encode(told, key, algorithm=algorithm, headers={"kid": kid})


@pytest.mark.parametrize(
    "token",
    [
        signed(),
        signed(EC, "e1", "ES256"),
        signed(aud=[RESOURCE, "https://other.example"]),
        signed(iss=f"{ISSUER}/"),
        signed(scope=None, scp=["exai"]),
        signed(exp=NOW - 5),
    ],
)
async def test_a_good_token(tokens, token, autojump_clock):
    """RS256 or ES256, for us, by the issuer; ten seconds of another clock are forgiven."""
    assert "jwt:ada" == (await tokens.identify(token)).principal


def confused():
    """HS256 by the public key, as if that were a secret."""
    import base64
    import hashlib
    import hmac
    import json

    from cryptography.hazmat.primitives import serialization

    pem = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    parts = [{"alg": "HS256", "kid": "r1", "typ": "JWT"}, CLAIMS]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts)
    mark = base64.urlsafe_b64encode(hmac.new(pem, text, hashlib.sha256).digest()).rstrip(b"=")
    return (text + b"." + mark).decode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c",
        "x" * 9000,
        signed(iss="https://evil.example"),
        signed(iss=None),
        signed(aud="https://other.example/mcp"),
        signed(aud=None),
        signed(exp=NOW - 11),
        signed(exp=None),
        signed(exp="soon"),
        signed(sub=None),
        signed(sub=" "),
        signed(OTHER),
        signed(OTHER, "unknown"),
        signed(RSA, "e1"),
        signed(algorithm="RS512"),
        signed("s" * 32, "r1", "HS256"),
        jwt.encode(CLAIMS, None, algorithm="none", headers={"kid": "r1"}),
        jwt.encode(CLAIMS, RSA, algorithm="RS256"),
        confused(),
    ],
)
async def test_a_bad_token(tokens, token, autojump_clock):
    """Wrong issuer, audience, time, key, algorithm: refused alike."""
    with pytest.raises(UnauthorizedError):
        await tokens.identify(token)


async def test_a_token_that_does_not_allow_this(tokens, autojump_clock):
    """Known, and not allowed."""
    with pytest.raises(InsufficientScope, match="exai"):
        await tokens.identify(signed(scope="read exai2"))


async def test_a_new_key_is_looked_for_once_a_minute(tokens, server, autojump_clock):
    """So that tokens of unknown keys cannot make us ask for ever."""
    import trio

    await tokens.identify(signed())
    server.keys.append(published(OTHER, "r2", "RS256"))
    for _ in range(5):
        with pytest.raises(UnauthorizedError):
            await tokens.identify(signed(OTHER, "r2"))
    asked = server.asked
    await trio.sleep(61)

    assert "jwt:ada" == (await tokens.identify(signed(OTHER, "r2"))).principal
    assert (1, 2) == (asked, server.asked)


async def test_known_keys_serve_while_the_server_is_away(tokens, server, autojump_clock):
    """Those that are not known are refused, and asked for again a minute later."""
    import trio

    await tokens.identify(signed())
    server.away = True
    await trio.sleep(100)
    assert "jwt:ada" == (await tokens.identify(signed())).principal
    with pytest.raises(UnauthorizedError):
        await tokens.identify(signed(OTHER, "r2"))


def test_what_the_resource_says_of_itself(tokens):
    """RFC 9728."""
    told = tokens.metadata()

    assert (RESOURCE, [ISSUER]) == (told["resource"], told["authorization_servers"])


async def test_what_a_client_is_told_over_http(web, tokens, autojump_clock):
    """Where its authorization server is, before it has a token; and what one that is not enough lacks."""
    document = "/.well-known/oauth-protected-resource"
    hello = message("initialize", {"protocolVersion": "2025-11-25"})
    async with web() as site:
        access = site.endpoint.access
        access.issued, access.public_url = tokens, "https://exai.example"
        found = [await site.ask("GET", path=path, token=None) for path in (document, f"{document}/mcp")]  # fmt: skip
        answers = [
            await site.ask(body=hello, token=token) for token in (None, signed(scope="read"), signed())
        ]  # fmt: skip

    where = f'resource_metadata="https://exai.example{document}"'
    assert [tokens.metadata()] * 2 == [one.json for one in found]
    assert [401, 403, 200] == [one.status for one in answers]
    assert f"Bearer {where}" == answers[0].headers["www-authenticate"]
    assert f'Bearer error="insufficient_scope", {where}' == answers[1].headers["www-authenticate"]
