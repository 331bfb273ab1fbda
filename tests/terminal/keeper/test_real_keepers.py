"""Real keepers: what they keep, what they leave behind, what they are made of."""

import ast
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from real_keepers import PROGRAM, is_alive, wait_until

from exai_trio.terminal.session_processes import Usage, usage_of

pytestmark = pytest.mark.real

# No shell: bash hides a terminal that controls nothing.
ASKS = """
import os, sys, termios
print("controls", os.tcgetpgrp(0) == os.getpgrp(), os.isatty(0), flush=True)
"""


def python(*words):
    return sys.executable, "-I", "-S", "-c", *words


def test_a_program_has_a_terminal_that_controls_it_and_its_exit_is_told(keepers):
    kept = keepers.start(*python(ASKS + "sys.exit(7)"))
    client = kept.attach()
    assert client.wait_text("exited") == {"op": "exited", "status": 7}
    assert b"controls True True" in client.output
    late = kept.attach("late")
    assert late.wait_text("exited", status=7)
    assert client.output == late.output


def test_all_is_gone_once_all_is_shown_and_the_exit_is_known(keepers):
    kept = keepers.start(*python("print('bye')"))
    client = kept.attach()
    client.wait_text("exited")
    client.ask("ack", offset=len(client.output), exited=True)
    client.wait(lambda: client.is_over)
    wait_until(kept.is_gone)


def test_ctrl_c_reaches_the_program_through_the_terminal(keepers):
    kept = keepers.start(*python("import signal\nsignal.signal(2, signal.SIG_DFL)\nprint('up', flush=True)\nsignal.pause()"))  # fmt: skip
    client = kept.attach()
    client.wait_output(b"up")
    client.type(1, b"\x03")
    assert client.wait_text("exited") == {"op": "exited", "signal": "SIGINT"}


def test_input_is_typed_once_over_reconnects(keepers):
    kept = keepers.start(*python("import sys\nfor line in sys.stdin: print('<' + line.strip() + '>', flush=True)"))  # fmt: skip
    client = kept.attach()
    client.type(1, b"one\n")
    client.wait_output(b"<one>")
    client.wait_text("taken", n=1)
    client.close()
    again = kept.attach(offset=client.begins + len(client.output))
    assert again.wait_text("attached")["taken"] == 1
    again.type(1, b"one\n")
    again.type(2, b"two\n")
    again.wait_output(b"<two>")
    assert b"one" not in again.output


def test_input_without_bytes_is_taken_too(keepers):
    client = keepers.start("/bin/cat").attach()
    client.type(1, b"")
    client.wait_text("taken", n=1)


def test_a_paste_that_the_kernel_would_cut_is_refused_in_words(keepers):
    kept = keepers.start(*python("import sys\nprint('up', flush=True)\nprint(len(input()), flush=True)"))  # fmt: skip
    client = kept.attach()
    client.wait_output(b"up")
    client.type(1, b"x" * 5000)
    assert client.wait_text("error")["code"] == "LINE_TOO_LONG"
    client.wait_text("taken", n=1)
    client.type(2, b"y" * 4000 + b"\n")
    client.wait_output(b"4000")


def test_a_flood_arrives_whole_and_a_window_changes(keepers):
    kept = keepers.start(
        *python(
            "import os\nprint(os.get_terminal_size(), flush=True)\nfor n in range(200000): print(n)\nprint(os.get_terminal_size())"
        )
    )
    client = kept.attach(cols=123, rows=45)
    client.wait_text("exited")
    lines = client.output.decode().split("\r\n")
    assert lines[1:-2] == [str(n) for n in range(200_000)]
    assert "columns=123, lines=45" in lines[-2]


def test_kill_leaves_no_process_whatever_that_ignores(keepers):
    script = (
        "nohup sleep 1000 >/dev/null 2>&1 & echo pid $!; sleep 1001 & echo pid $!;"
        " (trap '' HUP TERM; exec sleep 1002) & echo pid $!;"
        " setsid sh -c 'echo pid $$; exec sleep 1003'; echo all; sleep 1004"
    )
    script = script.replace("setsid sh -c", "setsid -f sh -c")
    kept = keepers.start("/bin/sh", "-c", script)
    client = kept.attach()
    client.wait(lambda: client.output.count(b"pid ") == 4 and b"all" in client.output)
    pids = [
        int(line.split()[1]) for line in client.output.split(b"\r\n") if line.startswith(b"pid ")
    ]
    assert all(map(is_alive, pids))
    client.ask("kill")
    client.wait_text("exited")
    wait_until(lambda: not any(map(is_alive, [*pids, kept.pid])))


def test_a_program_that_ends_takes_what_it_started_with_it(keepers):
    kept = keepers.start("/bin/sh", "-c", "nohup sleep 1000 >/dev/null 2>&1 & echo pid $!")
    client = kept.attach()
    client.wait_text("exited", status=0)
    pid = int(client.output.split()[1])
    wait_until(lambda: not is_alive(pid))


def test_what_nobody_shows_is_held_then_told_as_a_gap(keepers):
    kept = keepers.start(*python("import sys\nprint('begin', flush=True)\nsys.stdout.write('x' * 300000)\nprint('end')\ninput()"), ring_bytes=1 << 16, hold_s=0.2)  # fmt: skip
    first = kept.attach()
    first.wait_output(b"begin")
    first.close()
    watcher = kept.connect()
    watcher.ask("watch")

    def written():
        watcher.ask("describe")
        watcher.pump()
        return watcher.texts and watcher.texts[-1]["head"] > 300_000

    wait_until(written)
    back = kept.attach(offset=0)
    gap = back.wait_text("gap")
    back.wait_output(b"end")
    assert (gap["from"], gap["to"]) == (0, back.begins)
    assert back.begins >= 300_000 - (1 << 16)


def test_several_clients_see_the_same_and_hear_of_each_others_sizes(keepers):
    kept = keepers.start(*python("import sys\nfor line in sys.stdin: print(line.upper(), flush=True)"))  # fmt: skip
    one, two = kept.attach("one"), kept.attach("two", cols=100)
    one.wait_text("resized", cols=100)
    one.type(1, b"hello\n")
    one.wait_output(b"HELLO")
    two.wait_output(b"HELLO")
    assert one.output == two.output
    two.wait_text("resized", cols=80)


def test_peers_that_die_before_they_have_said_anything_are_nothing_to_it(keepers):
    kept = keepers.start(*python("import signal\nprint('up', flush=True)\nsignal.pause()"))
    for said in (b"", b"\0\0", b"\0\0\0\x09\x01{}", b"\xff" * 64, b"\0\0\0\x02\x01[]"):
        peer = kept.connect()
        peer.socket.sendall(said)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
    kept.attach().wait_output(b"up")


def test_signals_of_a_dying_daemon_are_nothing_to_it_and_its_environment_is_empty(keepers):
    kept = keepers.start(*python("import os, signal\nprint(dict(os.environ), flush=True)\nsignal.pause()"))  # fmt: skip
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        os.kill(kept.keeper, number)
    client = kept.attach()
    client.wait_output(b"}")
    assert Path(f"/proc/{kept.keeper}/environ").read_bytes() == b""
    assert os.getsid(kept.keeper) != os.getsid(0)
    assert os.getsid(kept.pid) == kept.pid


def test_the_home_may_have_a_long_path(tmp_path):
    from real_keepers import RealKeepers

    with RealKeepers(tmp_path / ("x" * 90) / ("y" * 90)) as keepers:
        kept = keepers.start(*python("print('here')"))
        kept.attach().wait_text("exited", status=0)
        mode = (kept.folder / f"{kept.session_id}.sock").stat().st_mode
        assert mode & 0o777 == 0o600


def test_what_cannot_be_started_is_said_and_leaves_nothing(keepers):
    assert keepers.ask("/no/such/program")["fault"] == 2
    assert keepers.ask("/bin/sh", cwd="/no/such/folder")["fault"] == 2
    assert not any(keepers.folder.iterdir())


def test_a_keeper_that_is_told_to_end_ends_its_program(keepers):
    kept = keepers.start(*python("import signal\nprint('up', flush=True)\nsignal.pause()"))
    client = kept.attach()
    client.wait_output(b"up")
    os.kill(kept.keeper, signal.SIGTERM)
    client.wait_text("exited", signal="SIGHUP")


def test_a_session_that_nobody_needs_ends_itself(keepers):
    kept = keepers.start(*python("import signal\nsignal.pause()"), idle_s=0.3, linger_s=0.3)
    wait_until(kept.is_gone)


def test_a_session_that_does_not_want_to_end_is_ended_without_haste(keepers, tmp_path):
    """Its keeper looks for what is left 20 times a second, and not without end; each look reads a file of every process, twice: the end of it is a read, too."""
    heard = tmp_path / "heard"
    code = f"import signal\nsignal.signal(1, lambda *_: open({str(heard)!r}, 'w'))\nsignal.signal(15, signal.SIG_IGN)\nwhile True: signal.pause()"
    kept = keepers.start(*python(code), idle_s=1.0, linger_s=0.3)
    wait_until(heard.exists)
    seen = []

    def is_gone():
        if is_alive(kept.pid):
            seen.append((time.monotonic(), reads(kept), len(list(Path("/proc").glob("[0-9]*")))))
        return kept.is_gone()

    wait_until(is_gone)
    (began, first, _), (ended, last, _) = seen[0], seen[-1]
    processes = max(count for _, _, count in seen)
    assert last - first < ((ended - began) * 20 + 5) * (processes + 20) * 2 * 1.5


def reads(kept):
    """How often its keeper has read anything."""
    said = Path(f"/proc/{kept.keeper}/io").read_text()
    return int(said.partition("syscr:")[2].split()[0])


def work(kept):
    """What its keeper has done: processor time, and how often it has woken or was interrupted."""
    times = Path(f"/proc/{kept.keeper}/stat").read_text().rpartition(")")[2].split()[11:13]
    status = Path(f"/proc/{kept.keeper}/status").read_text().splitlines()
    return *times, *(line for line in status if "ctxt_switches" in line)


def test_a_keeper_is_small_and_waits_without_work(keepers):
    kept = keepers.start(*python("import signal\nprint('up', flush=True)\nsignal.pause()"))
    client = kept.attach()
    client.wait_output(b"up")
    client.pump()  # which is acknowledged
    status = Path(f"/proc/{kept.keeper}/status").read_text()
    assert int(status.partition("VmRSS:")[2].split()[0]) <= 16 * 1024
    seen = []

    def is_still():
        seen.append(work(kept))
        time.sleep(0.05)
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    wait_until(is_still)


def test_what_a_session_takes_of_the_machine_is_that_of_all_its_processes(keepers):
    kept = keepers.start(*python("import subprocess, sys, time\nwhile time.process_time() < 0.05: pass\nsubprocess.run([sys.executable, '-c', 'print(\"up\", flush=True); input()'])"))  # fmt: skip
    client = kept.attach()
    client.wait_output(b"up")
    keeper, program = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (kept.keeper, kept.pid))  # fmt: skip
    usage = usage_of(kept.keeper)
    assert usage.resident_bytes > (keeper + program) * resource.getpagesize() * 1.2  # and the child
    assert usage.cpu_s > 0
    client.type(1, b"x\n")
    client.wait_text("exited")
    client.ask("ack", offset=len(client.output), exited=True)
    wait_until(kept.is_gone)
    assert usage_of(kept.keeper) == Usage()


def test_a_keeper_is_made_of_the_standard_library_alone():
    modules = sorted(PROGRAM.parent.glob("*.py"))
    assert len(modules) > 8
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                named = [node.module]
            else:
                continue
            for name in named:
                ours = name.startswith("exai_trio.terminal.keeper")
                assert ours or name.partition(".")[0] in sys.stdlib_module_names, (path, name)
