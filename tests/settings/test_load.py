"""From command line, environment and ENV_FILE to one Config."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from exai_trio.config import Config
from exai_trio.settings.load import default_home, load
from exai_trio.settings.table import SETTINGS

TOKEN = "correct-horse-battery"
EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing is bound


def faults(environ: dict[str, str], file: str | None = None) -> list[str]:
    return [str(fault) for fault in load({}, environ, file).faults]


def test_nothing_set_gives_the_defaults():
    """Without any variable there are no faults, no warnings, and every origin is the default."""
    loaded = load({}, {}, user_home="/home/ada")

    assert Config(home=Path("/home/ada/.local/state/exai")) == loaded.config
    assert ((), (), {"default"}) == (
        loaded.faults,
        loaded.warnings,
        set(loaded.origins.values()),
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "file", "port", "origin"),
    [
        ({"EXAI_WS_PORT": "1"}, {"EXAI_WS_PORT": "2"}, "EXAI_WS_PORT=3", 1, "command line"),
        ({}, {"EXAI_WS_PORT": "2"}, "EXAI_WS_PORT=3", 2, "environment"),
        ({}, {}, "EXAI_WS_PORT=3", 3, "ENV_FILE"),
        ({}, {"EXAI_WS_PORT": ""}, "EXAI_WS_PORT=3", 8079, "default"),
    ],
)
def test_the_nearest_source_gives_a_setting(arguments, environ, file, port, origin):
    """Command line before environment before file before default; an empty variable means the default."""
    loaded = load(arguments, environ, file)

    assert (port, origin) == (loaded.config.ws_port, loaded.origins["ws_port"])


@pytest.mark.parametrize(
    ("environ", "file", "key", "origin"),
    [
        ({"ZAI_API_KEY": "z"}, "", "z", "environment, as ZAI_API_KEY"),
        ({"ZAI_API_KEY": "z", "ZHIPUAI_API_KEY": "p"}, "", "p", "environment, as ZHIPUAI_API_KEY"),
        ({"ZAI_API_KEY": "z", "GLM_API_KEY": "g"}, "", "g", "environment"),
        ({"ZAI_API_KEY": "z", "GLM_API_KEY": ""}, "", "z", "environment, as ZAI_API_KEY"),
        ({"ZAI_API_KEY": "z"}, "GLM_API_KEY=g", "z", "environment, as ZAI_API_KEY"),
    ],
)
def test_other_names_are_read_too(environ, file, key, origin):
    """An alias counts as its setting, after the setting's own name and within its source."""
    loaded = load({}, environ, file)

    assert (key, origin) == (loaded.config.glm_api_key, loaded.origins["glm_api_key"])


def test_two_names_that_disagree_are_reported():
    """Which of two keys is used is never a secret; the keys are."""
    (warning,) = load({}, {"MOONSHOT_API_KEY": "one", "KIMI_API_KEY": "two"}).warnings

    assert "KIMI_API_KEY and MOONSHOT_API_KEY differ; KIMI_API_KEY is used" == warning


def test_every_fault_is_named_at_once():
    """One line a fault, with variable, value, origin and what is allowed."""
    assert [
        "EXAI_WS_PORT=99999 (environment): allowed is a whole number from 0 to 65535",
        "TOOL_PROFILE=tiny (ENV_FILE): allowed is lean or standard or full",
    ] == sorted(faults({"EXAI_WS_PORT": "99999"}, "TOOL_PROFILE=tiny"))


def test_a_faulty_secret_is_not_repeated():
    """A key that cannot be parsed is named, not shown."""
    (fault,) = faults({"GLM_API_KEY": "my secret key"})

    assert "GLM_API_KEY=<not shown>" in fault
    assert "secret key" not in fault


def test_a_faulty_value_cannot_write_on_the_terminal():
    """Control characters in a value are shown escaped, and long values are cut."""
    (fault,) = faults({"EXAI_WS_HOST": "\x1b[2Jx" + "y" * 500})

    assert "\x1b" not in fault
    assert len(fault) < 250


def test_bytes_that_are_no_text_are_a_fault():
    """A variable that was not UTF-8 is refused where it would be used."""
    (fault,) = faults({"JWT_SECRET_KEY": "x" * 40 + "\udcff"})

    assert fault.startswith("JWT_SECRET_KEY=<not shown>")


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"EXAI_RECONNECT_MIN_S": "31"}, "EXAI_RECONNECT_MIN_S"),
        ({"EXAI_WS_SESSION_MAX_INFLIGHT": "25"}, "EXAI_WS_SESSION_MAX_INFLIGHT"),
        ({"MAX_CONNECTIONS_PER_IP": "1001"}, "MAX_CONNECTIONS_PER_IP"),
        ({"TOOL_CALL_MAX_SIZE": "33554433"}, "TOOL_CALL_MAX_SIZE"),
        ({"GLM_TIMEOUT_SECS": "301"}, "GLM_TIMEOUT_SECS"),
        ({"KIMI_TIMEOUT_SECS": "601"}, "KIMI_TIMEOUT_SECS"),
        ({"HEALTH_CHECK_PORT": "8079"}, "HEALTH_CHECK_PORT"),
        ({"MONITORING_PORT": "8082"}, "HEALTH_CHECK_PORT"),
        ({"EXAI_WS_HOST": EVERYWHERE}, "EXAI_WS_HOST"),
        ({"JWT_SECRET_KEY": "x" * 31}, "JWT_SECRET_KEY"),
        ({"JWT_ISSUER": "me"}, "JWT_ISSUER"),
        ({"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM"),
        ({"ENABLED_TOOLS": "chat", "DISABLED_TOOLS": "chat"}, "ENABLED_TOOLS"),
        ({"STORAGE_BACKEND": "supabase"}, "STORAGE_BACKEND"),
    ],
)
def test_a_contradiction_is_a_fault(environ: dict[str, str], variable: str):
    """Settings that cannot all be meant stop the start, and the line names the one to change."""
    (fault,) = faults(environ)

    assert fault.startswith(f"{variable}=")


@pytest.mark.parametrize(
    "environ",
    [
        {"EXAI_WS_HOST": EVERYWHERE, "EXAI_WS_TOKEN": TOKEN},
        {"EXAI_WS_HOST": "::", "JWT_SECRET_KEY": "ü" * 16},
        {"HEALTH_CHECK_PORT": "0", "MONITORING_PORT": "0", "EXAI_WS_PORT": "0"},
        {"JWT_SECRET_KEY": "x" * 32, "JWT_ISSUER": "me", "JWT_AUDIENCE": "you"},
    ],
)
def test_what_looks_near_a_contradiction_is_none(environ: dict[str, str]):
    """A guarded address, ports that are off, and a secret counted in bytes are fine."""
    assert [] == faults(environ)


@pytest.mark.parametrize(
    ("environ", "file", "warning"),
    [
        (
            {"EXAI_WS_PROT": "1"},
            "",
            "EXAI_WS_PROT is no setting of EXAI; did you mean EXAI_WS_PORT?",
        ),
        ({}, "EXAI_HOEM=/x", "EXAI_HOEM is no setting of EXAI; did you mean EXAI_HOME?"),
        ({"EXAI_QQQQQQQQQQQQQQ": "1"}, "", "EXAI_QQQQQQQQQQQQQQ is no setting of EXAI"),
        (
            {"SUPABASE_URL": "off"},
            "",
            "SUPABASE_URL is set, but this version does not use it",
        ),
        ({}, "KEY: value", "line 1 of ENV_FILE is not NAME=value and is skipped"),
    ],
)
def test_what_has_no_effect_is_reported(environ, file, warning):
    """A misspelt name, a setting of a later version and a strange line are warnings, not silence."""
    loaded = load({}, environ, file)

    assert ((warning,), ()) == (loaded.warnings, loaded.faults)


def test_a_broken_line_of_ours_is_a_fault():
    """Another program's line may be strange; ours may not."""
    (fault,) = faults({}, 'EXAI_WS_TOKEN="open')

    assert fault.startswith("EXAI_WS_TOKEN=<line 1> (ENV_FILE)")


def test_a_preset_changes_defaults_only():
    """ENVIRONMENT moves what is not set, and what is set stays."""
    loaded = load({}, {"ENVIRONMENT": "testing", "CIRCUIT_BREAKER_THRESHOLD": "9"})

    assert (9, 5.0, "DEBUG") == (
        loaded.config.circuit_breaker_threshold,
        loaded.config.circuit_breaker_timeout_secs,
        loaded.config.log_level,
    )
    assert "ENVIRONMENT=testing" == loaded.origins["log_level"]


def test_a_faulty_environment_is_a_fault_and_nothing_else():
    """An unknown preset is named like any other fault."""
    (fault,) = faults({"ENVIRONMENT": "staging"})

    assert fault.startswith("ENVIRONMENT=staging")


def test_simulating_with_keys_is_said():
    """Whoever has set a key and simulates learns that the key is idle."""
    (warning,) = load({}, {"EXAI_SIMULATE": "true", "GLM_API_KEY": "k"}).warnings

    assert "not used" in warning


def test_keys_for_further_providers_are_kept():
    """Keys that EXAI_PROVIDERS_FILE may name come along; the environment goes before the file."""
    environ = {"DEEPSEEK_API_KEY": "env", "GLM_API_KEY": "g", "OTHER": "x"}
    loaded = load({}, environ, "DEEPSEEK_API_KEY=file\nMISTRAL_API_KEY=m")

    assert {"DEEPSEEK_API_KEY": "env", "MISTRAL_API_KEY": "m"} == loaded.config.provider_keys


@pytest.mark.parametrize(
    ("environ", "platform", "home"),
    [
        ({}, "linux", "/home/ada/.local/state/exai"),
        ({"XDG_STATE_HOME": "/var/ada"}, "linux", "/var/ada/exai"),
        ({"XDG_STATE_HOME": "not/absolute"}, "linux", "/home/ada/.local/state/exai"),
        ({}, "darwin", "/home/ada/Library/Application Support/exai"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/exai"),
    ],
)
def test_the_home_is_where_the_platform_wants_it(environ, platform, home):
    """Each platform has its own place for state."""
    assert Path(home) == default_home(environ, platform, "/home/ada")


@pytest.mark.parametrize(
    ("given_home", "home"), [("x", "/work-dir/x"), ("/x", "/x"), ("~/x", "/home/ada/x")]
)
def test_a_home_on_the_command_line_may_be_relative(given_home: str, home: str):
    """A path that somebody types starts from where he is."""
    loaded = load({"EXAI_HOME": given_home}, {}, cwd="/work-dir", user_home="/home/ada")

    assert (Path(home), ()) == (loaded.config.home, loaded.faults)


def test_a_relative_home_in_the_environment_is_refused():
    """Editors start the shim anywhere: a relative home would be another one each time."""
    (fault,) = faults({"EXAI_HOME": "x"})

    assert "an absolute path" in fault


NAMES = st.sampled_from([setting.name for setting in SETTINGS])


@given(st.dictionaries(NAMES, st.text()), st.dictionaries(NAMES, st.text()), st.none() | st.text())
def test_any_texts_give_a_config_and_a_list_of_faults(arguments, environ, file):
    """Whatever is set, loading ends, and each fault fits on one line."""
    loaded = load(arguments, environ, file)

    assert all("\n" not in str(fault) for fault in loaded.faults)
