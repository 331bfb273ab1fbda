"""No secret is sent to an address that came from a less trusted source than itself."""

import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from exai_trio.commands.setup.show_config import Machine, table
from exai_trio.config import Config
from exai_trio.errors import ArgumentError
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.providers_file import parse_providers
from exai_trio.settings.load import ARGUMENTS, DEFAULT, ENVIRON, FILE, load
from exai_trio.settings.table import SETTINGS
from exai_trio.settings.trust import FOUND

EXAI = str(Path(sys.executable).with_name("exai"))
ENOUGH_S = 30.0
SOURCES = (ARGUMENTS, ENVIRON, FILE, FOUND, DEFAULT)
SECRET, ADDRESS = "a-secret-of-the-user", "https://elsewhere.example/v1"
SENT = [setting for setting in SETTINGS if setting.sent_to]
HOSTED = {"SUPABASE_KEY": "STORAGE_BACKEND"}  # a key that is sent only if this asks for it
ADDRESSES = {setting.name: (setting.name, *setting.aliases) for setting in SETTINGS}
ROWS = [
    (key, address, from_key, from_address)
    for setting in SENT
    for key in (setting.name, *setting.aliases)
    for address in ADDRESSES[setting.sent_to]
    for from_key, from_address in itertools.product(SOURCES, SOURCES)
    if {from_key, from_address}
    != {FILE, FOUND}  # one file is read: a named one, or one that lay there
]


def address_of(key: str) -> str:
    return next(s.sent_to for s in SENT if key in {s.name, *s.aliases})


def _loaded(*given: tuple[str, str, str]):
    """`given`: source, variable, text."""
    texts = {source: {} for source in SOURCES}
    for source, variable, text in given:
        texts[source][variable] = text
    found = bool(texts[FOUND])
    file = "".join(f"{name}={text}\n" for name, text in (texts[FOUND] | texts[FILE]).items())
    return load(texts[ARGUMENTS], texts[ENVIRON], file, found=found)


@pytest.mark.parametrize(("key", "address", "from_key", "from_address"), ROWS)
def test_a_key_goes_where_its_own_source_or_a_better_one_says(key, address, from_key, from_address):
    """Refused is only an address of a `.env` that nobody named, for a key from anywhere else; the refusal says what to do."""
    asked = [(ENVIRON, HOSTED[key], "supabase")] if key in HOSTED else []
    loaded = _loaded((from_key, key, SECRET), (from_address, address, ADDRESS), *asked)
    if key in HOSTED and DEFAULT in {from_key, from_address}:
        return  # without either nothing is sent, and the start is refused for that
    refused = from_address == FOUND and from_key not in {FOUND, DEFAULT}

    assert refused == bool(loaded.faults)
    for fault in loaded.faults:
        assert (address, FOUND) == (fault.variable, fault.origin.split(",")[0])
        assert f"set {address_of(key)}" in str(fault)
        assert "ENV_FILE" in str(fault)
        assert SECRET not in str(fault)


def test_the_table_has_every_key_that_a_provider_is_sent():
    """A new secret setting is in the table, or known not to be sent by whoever reads a `.env` unasked."""
    own = {
        "EXAI_WS_TOKEN",
        "JWT_SECRET_KEY",
        "SUPABASE_DB_URL",
        "DATABASE_URL",
        "EXAI_ALERT_WEBHOOK",
        "REDIS_URL",
    }

    assert own | {setting.name for setting in SENT} == {s.name for s in SETTINGS if s.secret}


@pytest.mark.parametrize("setting", SENT, ids=lambda setting: setting.name)
def test_the_usual_address_may_stand_in_any_file(setting):
    """A `.env` that repeats the default sends nothing elsewhere; nor does one beside the simulator."""
    field = next(s.field for s in SETTINGS if s.name == setting.sent_to)
    usual = _loaded((ENVIRON, setting.name, SECRET), (FOUND, setting.sent_to, getattr(Config(), field)))  # fmt: skip
    simulated = _loaded(
        (ENVIRON, setting.name, SECRET),
        (FOUND, setting.sent_to, ADDRESS),
        (FOUND, "EXAI_SIMULATE", "true"),
    )

    assert ((), ()) == (usual.faults, simulated.faults)


FURTHER = """
[[provider]]
name = "theirs"
base_url = "https://elsewhere.example/v1"
key_variable = "ROUTER_API_KEY"
"""


@pytest.mark.parametrize(("from_key", "from_file"), list(itertools.product((ENVIRON, FILE, FOUND), (ARGUMENTS, ENVIRON, FILE, FOUND))))  # fmt: skip
def test_a_providers_file_gets_the_keys_of_its_own_source(from_key, from_file):
    """A `.env` that names such a file gets no key of the shell for it, and is told so."""
    if {from_key, from_file} == {FILE, FOUND}:
        pytest.skip("one file is read")
    config = _loaded((from_key, "ROUTER_API_KEY", SECRET), (from_file, "EXAI_PROVIDERS_FILE", "/p")).config  # fmt: skip
    given = (FURTHER, load_catalogue(), config.provider_keys, 60.0, config.withheld_keys)

    if from_file == FOUND and from_key != FOUND:
        assert {} == config.provider_keys
        with pytest.raises(ArgumentError, match="ROUTER_API_KEY of the environment is not sent"):
            parse_providers(*given)
    else:
        assert SECRET == parse_providers(*given).endpoints[0].key


def test_the_table_of_settings_names_the_file_that_was_found():
    """`exai config` cannot read one unasked, but `load` marks its values."""
    loaded = load({}, {}, "LOG_LEVEL=ERROR", found=True)

    assert FOUND == loaded.origins["log_level"]
    assert "ERROR" in table(loaded, _machine())


def _machine():
    return Machine(interpreter="/p", env_file="/x/.env")


# Real processes, and somebody who listens where the stranger's file points


class _Listener:
    """Counts who comes."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def visited(self) -> bool:
        try:
            self.socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def listener():
    listener = _Listener()
    with listener.socket:
        yield listener


def _run(folder: Path, *words: str, **more: str) -> tuple[int, str, str]:
    home = folder / "home"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "EXAI_HOME": str(home / "exai"),
        **more,
    }
    environ |= {"HEALTH_CHECK_PORT": "0", "MONITORING_PORT": "0", "INCIDENTS_PORT": "0"}
    done = subprocess.run(
        [EXAI, *words], cwd=folder, env=environ, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=ENOUGH_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.real
@pytest.mark.parametrize(
    "words",
    [["status"], ["tools"], ["call", "chat", "prompt=x"], ["doctor"], ["shim"], ["config"], ["threads", "list"]],
)  # fmt: skip
def test_no_command_goes_where_a_strangers_file_points(tmp_path, listener, unused_tcp_port, words):
    """Commands other than `serve` do not obey a `.env` that nobody named, so that their token cannot go there."""
    (tmp_path / ".env").write_text(f"EXAI_WS_PORT={listener.port}\nEXAI_WS_HOST=127.0.0.1\n")
    _, out, err = _run(
        tmp_path, *words, EXAI_WS_TOKEN=SECRET, EXAI_SIMULATE="true", EXAI_WS_PORT=str(unused_tcp_port)
    )  # fmt: skip

    assert not listener.visited()
    assert SECRET not in out + err


@pytest.mark.real
def test_whoever_looks_for_their_settings_is_told_of_the_file(tmp_path):
    """`exai status` beside a `.env` of EXAI's says how to have it read, and says nothing beside another program's."""
    (tmp_path / ".env").write_text("EXAI_WS_HOST=127.0.0.1\nEXAI_WS_PORT=1\n")
    _, _, ours = _run(tmp_path, "config")
    (tmp_path / ".env").write_text("DATABASE_PASSWORD=x\n")
    _, _, others = _run(tmp_path, "config")

    assert f"ENV_FILE={tmp_path}/.env makes any command read it" in ours
    assert ".env" not in others


@pytest.mark.real
def test_serve_refuses_to_send_the_shells_key_to_a_strangers_address(tmp_path, listener):
    """It ends with 2, says what to do, and nobody was asked."""
    (tmp_path / ".env").write_text(f"GLM_API_URL=http://127.0.0.1:{listener.port}\n")
    code, _, err = _run(tmp_path, "serve", GLM_API_KEY=SECRET)

    assert (2, False) == (code, listener.visited())
    assert "GLM_API_URL" in err
    assert "ENV_FILE" in err
    assert SECRET not in err


@pytest.mark.real
def test_serve_says_which_file_it_read(tmp_path):
    """One that lay there, by its path; who named one knows it. It is no reason to stop."""
    (tmp_path / ".env").write_text("EXAI_HOME=/dev/null/none\nEXAI_WS_PORT=0\nGLM_API_KEY=k\nGLM_API_URL=http://127.0.0.1:9\n")  # fmt: skip
    (tmp_path / "named").write_text("EXAI_WS_PORT=nonsense\n")
    with subprocess.Popen(
        [EXAI, "serve", "--health-port", "0", "--monitoring-port", "0"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "EXAI_HOME": str(tmp_path / "h")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as daemon:  # fmt: skip
        served = daemon.stdout.readline()
        daemon.terminate()
        _, said = daemon.communicate(timeout=ENOUGH_S)
    code, _, refused = _run(tmp_path, "serve", ENV_FILE=str(tmp_path / "named"))

    assert served.startswith("exai serves")
    assert f"settings from {tmp_path}/.env (found in the working directory)" in said
    assert (2, True) == (code, "EXAI_WS_PORT=nonsense (ENV_FILE)" in refused)
