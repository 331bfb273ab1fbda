"""The command line as a whole, in this process."""

import json
import socket
import subprocess
import sys
from importlib import import_module

import pytest

from exai_trio import __version__, cli
from exai_trio.cli import main
from exai_trio.commands import exit_codes
from exai_trio.commands.calling.key_value import WordError
from exai_trio.commands.options import parser
from exai_trio.errors import ArgumentError, ServiceUnavailableError
from exai_trio.settings.printing import example
from exai_trio.transport.websocket import PeerGone, Unreachable

pytestmark = pytest.mark.usefixtures("bare")


def test_every_command_has_its_module():
    """Each command that can be typed exists; none exists that cannot be typed."""
    (commands,) = (
        action.choices for action in parser()._actions if isinstance(action.choices, dict)
    )

    assert set(cli.MODULES) == set(commands) - {"help"}
    for module in cli.MODULES.values():
        assert callable(import_module(f"exai_trio.commands.{module}").main)


def test_the_version_is_printed(capsys):
    """`exai --version`."""
    assert (0, f"exai {__version__}\n") == (main(["--version"]), capsys.readouterr().out)


@pytest.mark.parametrize(
    "argv",
    [
        ["dance"],
        ["call"],
        ["call", "chat", "--timeout", "0"],
        ["call", "chat", "--timeout", "nan"],
        ["config", "--mcp", "emacs"],
        ["config", "--mcp", "claude", "--example"],
        ["simulate", "--port", "99999"],
        ["simulate", "--host", "my..host"],
        ["call", "\udcff"],
        ["threads", "show", "\udcff"],
        ["threads", "name", "id", "\udcff"],
    ],
)
def test_wrong_usage_leaves_with_2(argv, capsys):
    """What cannot be understood is explained on stderr: what is wrong, and a line that is right."""
    code = main(argv)

    said = capsys.readouterr()
    assert (2, "") == (code, said.out)
    assert ["exai: ", "try: exai"] == [
        line[: len(start)]
        for line, start in zip(said.err.splitlines(), ("exai: ", "try: exai"), strict=True)
    ]


def test_faults_stop_a_command(monkeypatch, capsys):
    """Exit code 2, one line a fault, nothing on stdout, and the command is not run."""
    monkeypatch.setenv("EXAI_WS_PORT", "x")
    monkeypatch.setenv("EXAI_WS_PING_TIMEOUT", "60 s")
    monkeypatch.setenv("EXAI_HOEM", "/x")
    code = main(["status"])

    said = capsys.readouterr()
    assert (2, "", 3) == (code, said.out, len(said.err.splitlines()))
    assert all(line.startswith("exai: EXAI_") for line in said.err.splitlines())


@pytest.mark.parametrize("argv", [["status"], ["tools"], ["call", "chat"], ["threads", "list"]])
def test_a_projects_own_variables_stop_nothing(argv, monkeypatch, capsys):
    """What other programs mean by such names, and settings of the daemon's, end no command that does not use them."""
    for name, value in {
        "ENVIRONMENT": "staging",
        "LOG_LEVEL": "warn",
        "JWT_SECRET_KEY": "short",
        "MONITORING_PORT": "prometheus",
        "EXAI_DURABILITY": "high",
        "EXAI_WS_PORT": "1",
        "EXAI_WS_AUTOSTART": "false",  # the administrator may listen on that port
    }.items():
        monkeypatch.setenv(name, value)

    assert main(argv) in {0, 75}
    assert "MONITORING_PORT" not in capsys.readouterr().err


def test_config_shows_faults_beside_the_table(monkeypatch, capsys):
    """Whoever looks for the fault sees the settings too."""
    monkeypatch.setenv("EXAI_WS_PORT", "x")
    code = main(["config"])

    said = capsys.readouterr()
    assert 2 == code
    assert "GLM_API_URL" in said.out
    assert "EXAI_WS_PORT=x" in said.err


def test_config_prints_the_example(capsys):
    """`exai config --example` is the file and nothing else."""
    assert (0, example()) == (main(["config", "--example"]), capsys.readouterr().out)


def test_config_prints_an_editor_s_configuration(tmp_path, capsys):
    """Options are settings too, and a relative home becomes absolute."""
    main(["config", "--mcp", "--home", "state"])

    server = json.loads(capsys.readouterr().out)
    assert sys.executable == server["command"]
    assert str(tmp_path / "state") == server["env"]["EXAI_HOME"]


def test_the_default_env_file_may_be_missing(capsys):
    """No .env is no fault."""
    assert 0 == main(["config"])


def test_a_named_env_file_must_be_there(monkeypatch, capsys):
    """Whoever names a file means it."""
    monkeypatch.setenv("ENV_FILE", "/no/such.env")

    assert 2 == main(["status"])
    assert "ENV_FILE=/no/such.env cannot be read" in capsys.readouterr().err


def test_an_env_file_that_is_no_text_is_a_fault(tmp_path, capsys):
    """A binary file is refused, not guessed at."""
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")

    assert 2 == main(["serve"])
    assert "cannot be read" in capsys.readouterr().err


def test_the_env_file_that_is_named_is_read(tmp_path, monkeypatch, capsys):
    """By any command; the table says where a value came from."""
    (tmp_path / ".env").write_text("LOG_LEVEL=ERROR\n")
    monkeypatch.setenv("ENV_FILE", ".env")
    main(["config"])

    line = next(line for line in capsys.readouterr().out.splitlines() if "LOG_LEVEL" in line)
    assert ["LOG_LEVEL", "ERROR", str(tmp_path / ".env")] == line.split()


@pytest.mark.parametrize("argv", [["shim"], ["status"], ["call", "chat"], ["config"], ["doctor"]])
def test_only_serve_obeys_an_env_file_that_nobody_named(argv, tmp_path, monkeypatch):
    """Everything else is started in any project; only a file that ENV_FILE names counts."""
    (tmp_path / ".env").write_text("EXAI_WS_PORT=nonsense\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENV_FILE", raising=False)
    environ = {"EXAI_HOME": str(tmp_path)}

    assert [] == list(cli._started(cli.parser().parse_args(argv), environ).loaded.faults)
    assert cli._started(cli.parser().parse_args(["serve"]), environ).loaded.faults


@pytest.mark.parametrize("argv", [["status"], ["call", "chat", "prompt=x"]])
def test_without_a_daemon_the_exit_code_is_75(argv, unused_tcp_port, capsys):
    """The line says how to start one."""
    code = main([*argv, "--port", str(unused_tcp_port)])

    said = capsys.readouterr()
    assert (75, "") == (code, said.out)
    assert "exai serve" in said.err


@pytest.mark.parametrize("text", [None, "[[provider\n"])
def test_a_providers_file_of_no_use_is_a_wrong_setting(text, tmp_path, monkeypatch, capsys):
    """The daemon leaves with 2, as for every other setting, whether the file cannot be read or not be understood."""
    file = tmp_path / "providers.toml"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("EXAI_PROVIDERS_FILE", str(file))
    monkeypatch.setenv("EXAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEALTH_CHECK_PORT", "0")
    monkeypatch.setenv("MONITORING_PORT", "0")
    monkeypatch.setenv("INCIDENTS_PORT", "0")
    code = main(["serve", "--port", "0"])

    said = capsys.readouterr()
    assert (2, "", 1) == (code, said.out, said.err.count("\n"))
    assert said.err.startswith("exai: EXAI_PROVIDERS_FILE")


def test_a_simulator_whose_port_is_taken_says_so(capsys):
    """The line names the address and the option."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = main(["simulate", "--port", str(taken.getsockname()[1])])

    said = capsys.readouterr()
    assert (1, "", 1) == (code, said.out, said.err.count("\n"))
    assert "port in use" in said.err
    assert "--port" in said.err


def test_an_unreadable_word_leaves_with_2(capsys):
    """A value that cannot be read is wrong usage."""
    assert 2 == main(["call", "chat", "prompt=@/no/such/file"])
    assert "/no/such/file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (ServiceUnavailableError("port 8079 is taken"), 1, "SERVICE_UNAVAILABLE: port 8079"),
        (ExceptionGroup("g", [ServiceUnavailableError("taken")]), 1, "taken"),
        (Unreachable("nobody"), 75, "nobody"),
        (PeerGone(code=1011), 1, "1011"),
        (WordError("odd"), 2, "odd"),
        (ArgumentError("odd"), 1, "VALIDATION_ERROR: odd"),
        (KeyError("x"), 1, "unexpected KeyError"),
        (ExceptionGroup("g", [Unreachable("x"), KeyError("y")]), 1, "unexpected ExceptionGroup"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_a_failure_is_one_line(fault, code, words, monkeypatch, capfd):
    """Whatever a command raises ends in one line on stderr and its exit code; no traceback."""

    def fail(started):
        raise fault

    monkeypatch.setattr("exai_trio.commands.setup.show_config.main", fail)
    monkeypatch.setattr(cli, "_unheard", lambda: 1)

    assert code == main(["config"])
    said = capfd.readouterr().err
    assert words in said
    assert len([line for line in said.splitlines() if not line.startswith("try: exai")]) <= 1


def test_debug_shows_where(monkeypatch, capfd):
    """LOG_LEVEL=DEBUG adds the traceback of what nobody foresaw."""

    def fail(started):
        raise KeyError("x")

    monkeypatch.setattr("exai_trio.commands.setup.show_config.main", fail)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    main(["config"])

    assert "Traceback" in capfd.readouterr().err


def test_a_group_of_the_foreseen_is_foreseen():
    """Only where every leaf is explained is the first explanation given."""
    nested = ExceptionGroup("a", [ExceptionGroup("b", [Unreachable("x")])])

    assert 75 == exit_codes.explained(nested).code
    assert exit_codes.explained(ExceptionGroup("a", [ValueError()])) is None


@pytest.mark.real
def test_the_shim_starts_light():
    """What an editor waits for imports no SDK, no HTTP server, no database, no JWT library, and nothing that draws or completes."""
    heavy = ["openai", "starlette", "hypercorn", "sqlite3", "jwt", "pydantic", "httpx2", "anyio"]
    heavy += ["rich", "rich_argparse", "argcomplete", "markdown_it", "pygments", "difflib"]
    program = (
        "import sys; from exai_trio import cli; import exai_trio.commands.shim; "
        "import exai_trio.shim.backend, exai_trio.shim.link, exai_trio.shim.autostart; "
        "cli.parser('shim').parse_args(['shim', '--port', '1']); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]\n" == ran.stdout


@pytest.mark.real
def test_a_question_from_a_shell_starts_light():
    """Until an answer has to be drawn: what somebody waits for in a pipe imports no more than the shim does."""
    heavy = ["importlib.metadata", "email.parser", "tomllib", "rich", "argcomplete", "markdown_it"]
    program = (
        "import sys; from exai_trio import cli; import exai_trio.commands.calling.ask; "
        "cli.parser('ask').parse_args(['ask', 'x', '--port', '1']); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]\n" == ran.stdout


@pytest.mark.real
def test_a_reader_that_leaves_is_borne(tmp_path):
    """`exai config | head -0` ends without a traceback."""
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "exai_trio", "config"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    running.stdout.close()
    error = running.stderr.read()
    running.stderr.close()

    assert (1, b"") == (running.wait(30), error)


def test_a_file_of_the_older_system_is_read_out(tmp_path, monkeypatch, capsys):
    """`exai config` names what means nothing here, with what is meant instead; keys of further providers do mean something."""
    file = tmp_path / "old.env"
    file.write_text(
        "GLM_API_KEY=k\nGLM_BASE_URL=https://x\nEXAI_WS_RESULT_TTL=9\nPGHOST=h\nOPENROUTER_API_KEY=k\n"
    )
    monkeypatch.setenv("ENV_FILE", str(file))

    assert 0 == main(["config"])
    said = capsys.readouterr().err
    assert "  GLM_BASE_URL: GLM_API_URL\n" in said
    assert f"{file} sets for other programs: PGHOST\n" in said
    assert 1 == said.count("EXAI_WS_RESULT_TTL")
    assert "GLM_API_KEY" not in said


def test_a_file_that_was_merely_found_is_not_read_out(tmp_path, monkeypatch, capsys):
    """It is the project's, whose own names are no news."""
    (tmp_path / ".env").write_text("PGHOST=h\n")
    monkeypatch.chdir(tmp_path)

    main(["config"])
    assert "PGHOST" not in capsys.readouterr().err
