"""The Config value itself."""

from pathlib import Path

import attrs
import pytest

from exai_trio.config import Config, is_loopback

EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing is bound


def test_secrets_are_masked_in_the_repr():
    """No secret can get into a log through a Config that is printed."""
    secrets = {
        "ws_token": "tok-1234",
        "jwt_secret_key": "jwt-1234",
        "glm_api_key": "glm-1234",
        "kimi_api_key": "kimi-1234",
    }
    shown = repr(Config(**secrets, provider_keys={"A_API_KEY": "a-1234"}))

    assert [] == [secret for secret in (*secrets.values(), "a-1234") if secret in shown]


def test_a_config_cannot_be_changed():
    """What was read at the start holds until the end."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Config().ws_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "ws://127.0.0.1:8079/"),
        (EVERYWHERE, "ws://127.0.0.1:8079/"),
        ("::", "ws://[::1]:8079/"),
        ("fe80::1", "ws://[fe80::1]:8079/"),
        ("example.org", "ws://example.org:8079/"),
    ],
)
def test_clients_connect_to_an_address_that_exists(host: str, url: str):
    """A daemon on all addresses is found on loopback; IPv6 stands in brackets."""
    assert url == Config(ws_host=host).ws_url


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("LOCALHOST", True),
        (EVERYWHERE, False),
        ("::", False),
        ("192.168.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_only_loopback_is_loopback(host: str, loopback: bool):
    """An address that others can reach is never taken for loopback."""
    assert loopback is is_loopback(host)


def test_files_lie_below_the_home():
    """Logs and state have their places under EXAI_HOME."""
    config = Config(home=Path("/h"))

    assert (Path("/h/logs"), Path("/h/state")) == (config.logs, config.state)
