"""What `exai doctor` says of terminals."""

import socket

import pytest

from exai_trio.commands.checking.findings import Daemon, Seen
from exai_trio.commands.checking.terminal_checks import terminals
from exai_trio.config import Config
from exai_trio.settings.load import Loaded


def found(home, **settings):
    config = Config(home=home, **{"terminals": "root", "term_claude_command": "sh"} | settings)
    seen = Seen(loaded=Loaded(config=config, origins={}), daemon=Daemon(reached=False), port_taken=False)  # fmt: skip
    return [(one.state, one.what) for one in terminals(seen)]


def test_switched_off_nothing_is_said(tmp_path):
    assert found(tmp_path, terminals="false") == []


def test_all_is_well(tmp_path):
    [(state, _)] = found(tmp_path)
    assert state == "ok"


def test_programs_that_are_not_there_are_named_with_their_settings(tmp_path):
    told = found(tmp_path, term_command="no-such-shell -l", term_claude_command="no-such-claude")
    assert [(state, what.partition(":")[0]) for state, what in told] == [
        ("fault", "EXAI_TERM_COMMAND"),
        ("warn", "EXAI_TERM_CLAUDE_COMMAND"),
    ]


@pytest.mark.parametrize("command", ["sh 'a", "sh \\"])
def test_a_command_that_cannot_be_read_is_told(tmp_path, command):
    [(state, what)] = found(tmp_path, term_command=command)
    assert state == "fault"
    assert what.startswith("EXAI_TERM_COMMAND: it cannot be read: No ")


def test_a_quote_within_quotes_is_no_fault(tmp_path):
    [(state, _)] = found(tmp_path, term_command="""sh -c "echo it's" """)
    assert state == "ok"


def test_sockets_without_a_keeper_and_a_folder_that_is_open_are_found(tmp_path, monkeypatch):
    folder = tmp_path / "state" / "terminals"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as alive:
        dead.bind("dead.sock")
        alive.bind("alive.sock")
        alive.listen()
        dead.close()
        told = found(tmp_path)
    assert [state for state, _ in told] == ["fault", "warn"]
    assert told[1][1].startswith("1 terminals have lost")
