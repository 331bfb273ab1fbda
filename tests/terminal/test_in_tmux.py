"""tmux shows `exai term attach`: full-screen programs look the same before and after a detach and a daemon's kill."""

import shutil
import subprocess
import sys

import pytest
from real_home import EXAI
from real_keepers import wait_until

missing = [name for name in ("tmux", "vim") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
]

# As htop: it draws the whole screen, and again whenever the window has another size.
DRAWS = """
import curses, signal
def draw(screen):
    while True:
        rows, cols = screen.getmaxyx()
        screen.erase()
        screen.border()
        screen.addstr(1, 2, f'{cols} x {rows}')
        screen.refresh()
        key = screen.getch()
        if key == curses.KEY_RESIZE:
            curses.update_lines_cols()
        elif key == ord('q'):
            return
curses.wrapper(draw)
"""


class Tmux:
    """One window of a tmux of its own."""

    def __init__(self, home):
        self.home = home
        self.name = f"exai-{home.settings['EXAI_WS_PORT']}"

    def run(self, *words):
        ran = subprocess.run(["tmux", "-L", self.name, "-f", "/dev/null", *words], env=self.home.environment, cwd=self.home.path, capture_output=True, text=True, check=False)  # fmt: skip
        return ran.stdout

    def attach(self, reference):
        self.run("new-session", "-d", "-x", "100", "-y", "30", "-s", "shown", *EXAI, "term", "attach", reference)  # fmt: skip

    def screen(self):
        return self.run("capture-pane", "-p", "-t", "shown")

    def wait(self, part):
        wait_until(lambda: part in self.screen(), f"{part!r} on {self.screen()!r}")
        return self.settled()

    def settled(self):
        """What is shown, once that is the same twice."""
        seen = []

        def same():
            seen.append(self.screen())
            return len(seen) > 20 and len(set(seen[-20:])) == 1

        wait_until(same)
        return seen[-1]

    def detach(self):
        self.run("send-keys", "-t", "shown", "C-]", "d")
        wait_until(lambda: not self.run("list-sessions"))


@pytest.fixture
def tmux(home):
    found = Tmux(home)
    yield found
    found.run("kill-server")


def test_vim_looks_the_same_after_a_detach_and_after_a_kill(tmux):
    home = tmux.home
    text = home.path / "text.py"
    text.write_text("".join(f"def number_{n}(): return {n}  # {'é漢' * 5}\n" for n in range(200)))
    daemon = home.daemon()
    home.term("new", "--no-attach", "--name", "edit", "--", "vim", "-u", "NONE", "-N", "-n", "-c", "set nomore ruler|120", str(text))  # fmt: skip
    tmux.attach("edit")
    before = tmux.wait("number_119")
    assert before.count("\n") == 30
    tmux.detach()
    tmux.attach("edit")
    assert tmux.wait("number_119") == before
    daemon.kill()
    daemon.wait()
    wait_until(lambda: "the daemon is away" in tmux.screen())
    home.daemon()
    wait_until(lambda: tmux.screen() == before, f"the same screen; there is {tmux.screen()}")
    tmux.run("send-keys", "-t", "shown", "o", "typed", "Escape")
    wait_until(lambda: "typed" in tmux.screen())


def test_a_program_that_draws_its_window_is_told_of_its_size(tmux):
    tmux.home.daemon()
    tmux.home.term("new", "--no-attach", "--name", "draw", "--", sys.executable, "-c", DRAWS)
    tmux.attach("draw")
    tmux.wait("100 x 30")
    tmux.run("resize-window", "-t", "shown", "-x", "80", "-y", "20")
    before = tmux.wait("80 x 20")
    tmux.detach()
    tmux.attach("draw")
    tmux.wait("100 x 30")
    tmux.run("resize-window", "-t", "shown", "-x", "80", "-y", "20")
    assert tmux.wait("80 x 20") == before
