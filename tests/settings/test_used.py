"""Which settings stop which command."""

import re
from functools import cache
from pathlib import Path

import attrs
import pytest

from exai_trio import config as config_module
from exai_trio.cli import MODULES
from exai_trio.config import Config
from exai_trio.settings.load import load
from exai_trio.settings.table import SETTINGS, SHARED
from exai_trio.settings.used import USED, faults_of, is_used, warnings_of

PACKAGE = Path(config_module.__file__).parent
FIELDS = {field.name for field in attrs.fields(Config)}
# What properties of Config are made of.
MADE_OF = {
    "own_token": {"ws_token"},
    "wants_no_token": {"ws_token"},
    "client_host": {"ws_host"},
    "loopback_only": {"ws_host"},
    "ws_url": {"ws_host", "ws_port"},
    "token_file": {"home"},
    "logs": {"home"},
    "state": {"home"},
}
NOT_FROM_TEXTS = {"provider_keys", "withheld_keys", "home"}
FAULTY = "\x00"  # nothing takes it


def read_in(*places: str) -> set[str]:
    """The fields of Config that the modules of these places name."""
    found: set[str] = set()
    for place in places:
        path = PACKAGE / place
        for module in path.rglob("*.py") if path.is_dir() else [path]:
            for name in re.findall(r"\bconfig\.([a-z_]+)", module.read_text("utf-8")):
                found |= MADE_OF.get(name, {name} & FIELDS)
    return found


CLIENT = ("transport/client_auth.py", "commands/client.py", "cli.py")


@pytest.mark.parametrize(
    ("command", "places", "masked_only"),
    [
        (
            "shim",
            ("shim", "tools/registry.py", "observability/logs.py", *CLIENT),
            {"glm_api_key", "kimi_api_key"},
        ),
        ("status", ("commands/checking/daemon_status.py", *CLIENT), set()),
        ("ask", ("commands/calling", *CLIENT), set()),
        (
            "call",
            (
                *(
                    f"commands/calling/{name}.py"
                    for name in ("call_tool", "run_call", "follow_call")
                ),
                *CLIENT,
            ),
            set(),
        ),
        ("stop", ("commands/running/stop_daemon.py", "commands/running/home_daemon.py"), set()),
        ("logs", ("commands/checking/read_logs.py",), set()),
        ("tools", ("commands/offered_tools.py", *CLIENT), set()),
        ("threads", ("commands/stored_threads.py",), set()),
    ],
)
def test_what_a_command_reads_is_listed(command, places, masked_only):
    """A field that a command's own modules name is among those that stop it: none is used with a fault's default."""
    unlisted = {field for field in read_in(*places) if not is_used(command, field)}

    assert masked_only | NOT_FROM_TEXTS >= unlisted


@cache
def loaded_with_faulty(name):
    return load({name: FAULTY}, {})


@pytest.mark.parametrize("command", [*MODULES, "ask"])
def test_a_setting_that_is_not_used_never_stops_a_command(command):
    """One faulty setting at a time: exactly those that the command uses are faults to it, and `serve` uses all."""
    for setting in SETTINGS:
        stopped = bool(faults_of(command, loaded_with_faulty(setting.name)))

        assert stopped == is_used(command, setting.field), setting.name
        assert stopped or command != "serve"


def test_what_is_listed_exists():
    """No setting is listed that nobody can set."""
    named = {field for fields in USED.values() for field in fields} | SHARED

    assert {setting.field for setting in SETTINGS} >= named


def test_a_value_of_another_program_is_mentioned_where_it_matters():
    """`exai access` says nothing of a backend that it does not ask; the daemon does."""
    loaded = load({}, {"STORAGE_BACKEND": "s3", "EXAI_HOEM": "x"})

    assert (1, 2) == (len(warnings_of("access", loaded)), len(warnings_of("serve", loaded)))
