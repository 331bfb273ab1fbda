"""Where a model server may be."""

import re

import pytest

from exai_trio.errors import ArgumentError
from exai_trio.providers.local_servers.addresses import (
    Address,
    address_of,
    base_url_of,
    offered_url,
    usual,
)


def test_the_usual_ports_are_looked_at():
    """Those of the four servers, on this machine."""
    assert {11434, 1234, 8080, 8000} == {address.port for address in usual({})}
    assert {"127.0.0.1"} == {address.host for address in usual({})}


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:11500", "127.0.0.1", 11500),
        ("0.0.0.0", "127.0.0.1", 11434),  # noqa: S104  # nothing is bound
        ("0.0.0.0:99", "127.0.0.1", 99),
        (":99", "127.0.0.1", 99),
        ("localhost", "localhost", 11434),
        ("http://localhost:99", "localhost", 99),
        ("http://127.0.0.1", "127.0.0.1", 80),
        ("[::]:99", "::1", 99),
        ("'127.0.0.1:5'", "127.0.0.1", 5),
    ],
)
def test_ollama_host_is_looked_at_first(text, host, port):
    """In all the forms in which Ollama takes it."""
    assert Address(host, port) == usual({"OLLAMA_HOST": text})[0]


@pytest.mark.parametrize(
    "text", ["", "gpu.example:11434", "192.0.2.7", "127.0.0.1:99999", "127.0.0.1:x", "[", "\x00"]
)
def test_an_ollama_elsewhere_is_not_asked(text):
    """Nothing off this machine is asked, and what is no address is nothing."""
    assert usual({}) == usual({"OLLAMA_HOST": text})


def test_another_endpoint_is_offered_without_its_password():
    """OPENAI_BASE_URL may be anywhere, so it is only named."""
    url = "https://user:canary@models.example/v1?key=canary"

    assert "https://<hidden>@models.example/v1?<hidden>" == offered_url({"OPENAI_BASE_URL": url})
    assert "" == offered_url({})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080/v1/", Address("127.0.0.1", 8080)),
        ("http://localhost:1/x", Address("localhost", 1, "/x")),
        ("http://[::1]:8080/v1", Address("::1", 8080)),
        ("https://127.0.0.1:8080/v1", None),
        ("http://models.example/v1", None),
        ("http://127.0.0.1:x/v1", None),
        ("", None),
    ],
)
def test_only_loopback_is_asked_what_it_has(url, address):
    """Without TLS, which none of the four has."""
    assert address == address_of(url)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("localhost:1234/", "http://localhost:1234/v1"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("https://models.example/api", "https://models.example/api"),
    ],
)
def test_an_address_may_be_typed_short(typed, url):
    """The scheme and /v1 are added where they are missing."""
    assert url == base_url_of(typed)


@pytest.mark.parametrize(
    "typed", ["", "ftp://x", "http://", "a b", "http://x:99999", "http://u:canary@x/v1"]
)
def test_what_is_no_address_is_refused(typed):
    """With one that is right; a password is not repeated."""
    with pytest.raises(ArgumentError, match=re.escape("http://127.0.0.1:8080/v1")) as caught:
        base_url_of(typed)

    assert "canary" not in caught.value.message
