"""From command line, environment and ENV_FILE to one Config."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from exai_trio.config import Config
from exai_trio.settings.load import default_home, load, own_file
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
    (fault,) = faults({"GLM_API_KEY": "x" * 40 + "\udcff"})

    assert fault.startswith("GLM_API_KEY=<not shown>")


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
        ({"JWT_SECRET_KEY": "x" * 31, "EXAI_WS_TOKEN": "none"}, "JWT_SECRET_KEY"),
        ({"JWT_ALGORITHM": "none", "EXAI_WS_TOKEN": "none"}, "JWT_ALGORITHM"),
        ({"ENABLED_TOOLS": "chat", "DISABLED_TOOLS": "chat"}, "ENABLED_TOOLS"),
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
        {
            "HEALTH_CHECK_PORT": "0",
            "MONITORING_PORT": "0",
            "INCIDENTS_PORT": "0",
            "EXAI_WS_PORT": "0",
        },
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
        ({}, "KEY: value", "line 1 of ENV_FILE is not NAME=value and is skipped"),
    ],
)
def test_what_has_no_effect_is_reported(environ, file, warning):
    """A misspelt name, and a strange line are warnings, not silence."""
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


@pytest.mark.parametrize(
    "environ",
    [
        {"ENVIRONMENT": "staging"},
        {"LOG_LEVEL": "warn"},
        {"LOG_FORMAT": "pretty"},
        {"JWT_SECRET_KEY": "short"},
        {"JWT_ALGORITHM": "RS256"},
        {"JWT_ISSUER": "me"},
        {"DEFAULT_MODEL": "my model"},
        {"STORAGE_BACKEND": "s3"},
        {"MAX_CONNECTIONS": "unlimited"},
    ],
)
def test_what_another_program_means_is_a_warning_and_not_set(environ):
    """A value that is none of ours, under a name that others use too, stops nothing and changes nothing."""
    in_environment, in_file = (
        load({}, environ),
        load({}, {}, "\n".join("=".join(pair) for pair in environ.items())),
    )

    for loaded in (in_environment, in_file):
        (warning,) = loaded.warnings
        assert warning.startswith(next(iter(environ)))
        assert () == loaded.faults
        assert load({}, {}).config == loaded.config
        assert {"default"} == set(loaded.origins.values())


def test_another_programs_jwts_are_not_ours_in_part():
    """A secret that could be ours is not, where the algorithm beside it is another's."""
    loaded = load({}, {"JWT_SECRET_KEY": "x" * 40, "JWT_ALGORITHM": "RS256", "JWT_ISSUER": "i"})

    assert (True, "") == (loaded.config.makes_token, loaded.config.jwt_issuer)


@pytest.mark.parametrize("open_to", [{"EXAI_WS_TOKEN": "none"}, {"EXAI_WS_HOST": EVERYWHERE}])
def test_what_keeps_strangers_out_is_never_anothers(open_to):
    """Where the JWT is all that guards the daemon, a short secret stops it."""
    assert any(
        "JWT_SECRET_KEY" in fault for fault in faults({"JWT_SECRET_KEY": "short", **open_to})
    )


def test_what_was_typed_for_us_is_ours():
    """A word on our own command line is no other program's."""
    (fault,) = load({"LOG_LEVEL": "warn"}, {}).faults

    assert "LOG_LEVEL" == fault.variable


@pytest.mark.parametrize(
    ("environ", "file", "port", "origin"),
    [
        ({"EXAI_WS_PORT": "2"}, "EXAI_WS_PORT=3", 2, "environment"),
        ({}, "EXAI_WS_PORT=3", 3, "ENV_FILE"),
        ({}, "EXAI_WS_PORT=", 8079, "default"),
        ({}, "", 4, "own settings file"),
    ],
)
def test_the_users_own_file_comes_last(environ, file, port, origin):
    """What is nearer goes before it; only defaults come after it."""
    loaded = load({}, environ, file, own="EXAI_WS_PORT=4")

    assert (port, origin) == (loaded.config.ws_port, loaded.origins["ws_port"])


def test_keys_of_the_users_own_file_are_not_sent_where_a_found_file_says():
    """A `.env` that lay there may name addresses, but gets no key from the user's own file."""
    own = "GLM_API_KEY=mine\nROUTER_API_KEY=mine"
    moved = load({}, {}, "GLM_API_URL=http://elsewhere.example", found=True, own=own)
    named = load({}, {}, "EXAI_PROVIDERS_FILE=/there", found=True, own=own)

    assert ["GLM_API_URL"] == [fault.variable for fault in moved.faults]
    assert ({}, {"ROUTER_API_KEY"}) == (named.config.provider_keys, named.config.withheld_keys)


def test_keys_for_further_providers_may_stand_in_the_users_own_file():
    """After those of the environment and of ENV_FILE."""
    own = "A_API_KEY=own\nB_API_KEY=own\nC_API_KEY=own"
    loaded = load({}, {"A_API_KEY": "env"}, "B_API_KEY=file", own=own)

    assert {
        "A_API_KEY": "env",
        "B_API_KEY": "file",
        "C_API_KEY": "own",
    } == loaded.config.provider_keys


@pytest.mark.parametrize(
    ("environ", "platform", "file"),
    [
        ({}, "linux", "/home/ada/.config/exai/settings.env"),
        ({"XDG_CONFIG_HOME": "/etc/ada"}, "linux", "/etc/ada/exai/settings.env"),
        ({"XDG_CONFIG_HOME": "not/absolute"}, "linux", "/home/ada/.config/exai/settings.env"),
        ({}, "darwin", "/home/ada/Library/Application Support/exai/settings.env"),
        ({"APPDATA": "/roaming"}, "win32", "/roaming/exai/settings.env"),
    ],
)
def test_the_users_own_file_is_where_the_platform_wants_it(environ, platform, file):
    """Each platform has its own place for configuration."""
    assert Path(file) == own_file(environ, platform, "/home/ada")


def test_without_a_home_there_is_no_own_file():
    """`~` stands for itself where nobody knows the user's home."""
    assert own_file({}, "linux", "~") is None


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
