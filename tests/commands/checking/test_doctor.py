"""What `exai doctor` finds, and what it advises."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
import trio

from exai_trio import __version__
from exai_trio.commands.checking import checks, doctor, online_trials
from exai_trio.commands.checking.findings import Daemon, Finding, Seen
from exai_trio.commands.client import PeerGone, Unreachable
from exai_trio.errors import ProtocolError, ServiceUnavailableError, UnauthorizedError
from exai_trio.settings.load import Loaded, load
from exai_trio.transport import loopback_get
from exai_trio.wire.messages import CallFailed, Fault, HealthReport, HelloAck, ServerFacts

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVER = ServerFacts(name="exai", version=__version__, boot_id="b")


def loaded(home: Path, **environ: str) -> Loaded:
    return load({}, {"EXAI_HOME": str(home), **environ})


def seen(home: Path, daemon: Daemon | None = None, **environ: str) -> Seen:
    absent = Daemon(reached=False, fault=Unreachable("nobody"))
    return Seen(loaded=loaded(home, **environ), daemon=daemon or absent, port_taken=False)


def answering(*, version: str = __version__, t: datetime = NOW) -> Daemon:
    return Daemon(
        reached=True,
        server=ServerFacts(name="exai", version=version, boot_id="b"),
        report=HealthReport(health={}, t=t.isoformat()),
        answered_at=NOW,
    )


def worst(check, seen: Seen) -> Finding | None:
    return next((one for one in check(seen) if one.state != "ok"), None)


def test_a_sound_installation_has_no_findings(tmp_path):
    """With a key, a home and a daemon of our version there is nothing to mend."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    sound = seen(home, answering(), GLM_API_KEY="k", HEALTH_CHECK_PORT="0")

    assert [] == [one for one in doctor.examine(sound) if one.state != "ok"]


@pytest.mark.parametrize(
    ("check", "environ", "state", "words"),
    [
        (checks.settings, {"EXAI_WS_PORT": "x"}, "fault", "EXAI_WS_PORT"),
        (checks.settings, {"EXAI_WS_PROT": "1"}, "warn", "did you mean EXAI_WS_PORT"),
        (checks.providers, {}, "fault", "no provider has a key"),
        (checks.providers, {"EXAI_SIMULATE": "true"}, "warn", "simulated"),
        (checks.roots, {"EXAI_ALLOWED_ROOTS": "/no/such/place"}, "warn", "/no/such/place"),
        (
            checks.providers_file,
            {"EXAI_PROVIDERS_FILE": "/no/such.toml"},
            "fault",
            "cannot be read",
        ),
        (checks.daemon, {}, "fault", "no daemon answers"),
    ],
)
def test_a_fault_is_named_with_its_remedy(tmp_path, check, environ, state, words):
    """Each finding says what is wrong, and what to do about it."""
    finding = worst(check, seen(tmp_path, **environ))

    assert state == finding.state
    assert words in finding.what
    assert finding.remedy


def test_a_home_that_is_a_file_is_a_fault(tmp_path):
    """EXAI_HOME must be a directory that can be written."""
    (tmp_path / "file").write_text("")

    assert "fault" == worst(checks.home, seen(tmp_path / "file" / "home")).state


def test_an_open_home_is_a_warning(tmp_path):
    """Others must not be able to read conversations."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)

    assert f"chmod 700 {home}" == worst(checks.home, seen(home)).remedy


def test_a_broken_providers_file_is_a_fault(tmp_path):
    """The file is read as TOML, and the place of the mistake is told."""
    file = tmp_path / "providers.toml"
    file.write_text("[[provider]\n")

    finding = worst(checks.providers_file, seen(tmp_path, EXAI_PROVIDERS_FILE=str(file)))
    assert ("fault", True) == (finding.state, "line 1" in finding.what)


def test_a_further_provider_without_a_key_is_told(tmp_path):
    """The file is read as the daemon reads it, and the key that it names is looked for."""
    file = tmp_path / "providers.toml"
    file.write_text(
        '[[provider]]\nname = "other"\nbase_url = "https://example.org/v1"\nkey_variable = "OTHER_API_KEY"\n'
    )
    settings = {"EXAI_PROVIDERS_FILE": str(file)}

    assert "OTHER_API_KEY" in worst(checks.providers_file, seen(tmp_path, **settings)).remedy
    assert worst(checks.providers_file, seen(tmp_path, **settings, OTHER_API_KEY="k")) is None


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        (UnauthorizedError("no"), "fault", "does not accept our token"),
        (ProtocolError("odd"), "fault", "no EXAI daemon"),
        (PeerGone(), "fault", "no EXAI daemon"),
        (ServiceUnavailableError("the daemon is closing"), "warn", "closing"),
    ],
)
def test_what_holds_the_port_is_told(tmp_path, fault, state, words):
    """Another program, a daemon with another token and a closing daemon need different remedies."""
    found = Seen(
        loaded=loaded(tmp_path), daemon=Daemon(reached=False, fault=fault), port_taken=True
    )
    finding = worst(checks.daemon, found)

    assert state == finding.state
    assert words in finding.what


async def test_a_daemon_that_is_stopped_is_no_stranger(tmp_path, autojump_clock):
    """What accepts connections and says nothing is told as that, with how long it was waited for."""

    @asynccontextmanager
    async def dial(host, port, limits):
        await trio.sleep_forever()
        yield

    settings = loaded(tmp_path)
    asked = await doctor._ask(settings.config, dial)
    finding = worst(checks.daemon, Seen(loaded=settings, daemon=asked, port_taken=True))

    assert "fault" == finding.state
    assert "accepts connections" in finding.what
    assert finding.what.endswith("does not answer within 3 s")


def test_an_address_of_ipv6_is_asked_in_brackets():
    """Without them it is no host that the daemon knows as its own."""
    assert (b"host", b"[::1]:8082") in loopback_get._request("::1", 8082, "/health", "").headers


def test_no_daemon_is_fine_when_the_shim_starts_one(tmp_path):
    """With EXAI_WS_AUTOSTART an absent daemon is no fault."""
    assert worst(checks.daemon, seen(tmp_path, EXAI_WS_AUTOSTART="true")) is None


@pytest.mark.parametrize(
    ("version", "word"), [("0.9.0", "older"), ("0.11", "newer"), ("0.10.1.dev1", "newer")]
)
def test_a_daemon_of_another_version_is_told(tmp_path, monkeypatch, version, word):
    """Versions are compared by number, and the remedy fits the direction."""
    monkeypatch.setattr(checks, "__version__", "0.10.0")
    finding = worst(checks.versions, seen(tmp_path, answering(version=version)))

    assert f"is {word} than" in finding.what


@pytest.mark.parametrize(("off", "state"), [(1.0, None), (6.0, "warn"), (-3600.0, "warn")])
def test_a_clock_that_is_off_is_told(tmp_path, off, state):
    """A difference of seconds is borne; more is a warning, in both directions."""
    finding = worst(checks.clock, seen(tmp_path, answering(t=NOW + timedelta(seconds=off))))

    assert state == (finding and finding.state)


def test_a_time_that_cannot_be_read_is_told(tmp_path):
    """A daemon whose time is no time does not break the doctor."""
    daemon = Daemon(reached=True, server=SERVER, report=HealthReport(health={}, t="noon"))

    assert "noon" in worst(checks.clock, seen(tmp_path, daemon)).what


@pytest.mark.parametrize(("status", "state"), [(200, None), (503, "warn"), (None, "warn")])
def test_the_health_port_is_asked(tmp_path, status, state):
    """Silence and anything but 200 are warnings."""
    found = Seen(loaded=loaded(tmp_path), daemon=answering(), port_taken=True, health=status)
    finding = worst(checks.health_port, found)

    assert state == (finding and finding.state)


async def test_the_doctor_asks_a_daemon(tmp_path, daemon, said, autojump_clock):
    """A daemon that answers is a daemon that answers, and JSON is for programs."""
    settings = loaded(tmp_path, EXAI_SIMULATE="true", HEALTH_CHECK_PORT="0")
    daemon.t = datetime.now(UTC).isoformat()
    code = await doctor.run(settings, said.console(), as_json=True, dial=daemon.dial)

    found = json.loads(said.out.getvalue())
    assert 0 == code
    assert any(__version__ in one["what"] and one["state"] == "ok" for one in found)


async def test_a_fault_makes_the_doctor_fail(tmp_path, daemon, said):
    """Exit code 1, and the remedy under the fault."""
    daemon.greeting = HelloAck(ok=False, error="unauthorized")
    settings = loaded(tmp_path, GLM_API_KEY="k", EXAI_WS_PORT="0")
    code = await doctor.run(settings, said.console(), as_json=False, dial=daemon.dial)

    assert 1 == code
    assert "FAULT" in said.out.getvalue()
    assert "→ give EXAI_WS_TOKEN" in said.out.getvalue()


def with_providers(*providers: dict) -> Daemon:
    health = {"providers": list(providers)}
    return Daemon(
        reached=True, server=SERVER, report=HealthReport(health=health, t=NOW.isoformat())
    )


def test_a_daemon_that_runs_is_believed(tmp_path):
    """It may have a key that this shell has not."""
    ready = with_providers({"name": "glm", "title": "GLM", "configured": True})

    assert worst(checks.providers, seen(tmp_path, ready)) is None


def test_a_daemon_without_providers_is_a_fault(tmp_path):
    """Though this shell may have a key: the daemon was started without."""
    bare = with_providers({"name": "glm", "configured": False})

    assert "fault" == worst(checks.providers, seen(tmp_path, bare, GLM_API_KEY="k")).state


def test_a_client_is_judged_as_a_client(tmp_path):
    """What a daemon needs is not looked for where none is to run."""
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    client = seen(
        home, EXAI_WS_HOST="10.0.0.9", EXAI_WS_TOKEN="t" * 32, EXAI_ALLOWED_ROOTS="/no/such/place"
    )

    assert ["no daemon answers at ws://10.0.0.9:8079/"] == [
        one.what for one in doctor.examine(client) if one.state != "ok"
    ]


def test_who_has_a_port_of_ours_is_named(tmp_path):
    """With the variable that chooses another one."""
    settings = loaded(tmp_path)
    found = Seen(
        loaded=settings,
        daemon=answering(),
        port_taken=True,
        holders={8080: "llama-server (process 812)"},
    )
    finding = worst(checks.holders, found)

    assert "llama-server (process 812)" in finding.what
    assert "MONITORING_PORT" in finding.remedy


async def test_each_provider_is_tried(tmp_path, daemon, said, autojump_clock):
    """--online: one that refuses is a fault, though it has a key; one that answers is well."""
    daemon.t = datetime.now(UTC).isoformat()
    daemon.health = {
        "providers": [
            {"name": "glm", "configured": True, "models": ["glm-4.6", "glm-4.5-flash"]},
            {"name": "kimi", "configured": True, "models": ["kimi-k3"]},
            {"name": "other", "configured": False, "models": ["x"]},
        ]
    }

    async def on_call(daemon, message):
        if message.arguments["model"] == "glm/glm-4.5-flash":
            fault = Fault(
                code="PROVIDER_ERROR",
                message="the key is wrong",
                category="provider",
                retryable=False,
                correlation_id="c",
            )
            await daemon.say(CallFailed(request_id=message.request_id, error=fault), sequenced=True)
        else:
            await daemon.answer(message, "ok")

    daemon.on_call = on_call
    settings = loaded(tmp_path, HEALTH_CHECK_PORT="0", MONITORING_PORT="0", INCIDENTS_PORT="0")
    asked = await doctor._ask(settings.config, daemon.dial)
    trials = [
        await online_trials.try_all(
            settings.config,
            attrs.evolve(asked, report=HealthReport(health={"providers": [one]}, t=daemon.t)),
            daemon.dial,
        )
        for one in daemon.health["providers"]
    ]
    found = [
        finding
        for (trial,) in trials[:2]
        for finding in checks.online(attrs.evolve(seen(tmp_path), trials=(trial,)))
    ]

    assert ["fault", "ok"] == [one.state for one in found]
    assert "GLM_API_KEY" in found[0].remedy
    assert () == trials[2]
