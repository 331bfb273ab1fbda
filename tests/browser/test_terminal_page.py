"""The page of terminals in a real Chromium: type, flood, Ctrl-C, kill the daemon, go on; by keyboard alone."""

import shutil
import sys
from pathlib import Path

import pytest
from free_ports import free_port

sys.path.insert(0, str(Path(__file__).parents[1] / "terminal"))  # homes with real daemons

from real_home import home_in
from real_keepers import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

# What is on the screen of the terminal that is shown, as a reader of it would say it.
SCREEN = """() => {
  const rows = document.querySelectorAll(".place:not([hidden]) .xterm-rows > div");
  return Array.from(rows, row => row.textContent).join("\\n");
}"""


class Page:
    """One window, what it asked for, and what broke the policy."""

    def __init__(self, browser, home):
        self.origin = f"http://127.0.0.1:{home.settings['MONITORING_PORT']}"
        self.own = {self.origin, f"ws://127.0.0.1:{home.settings['EXAI_WS_PORT']}"}
        self.page = browser.new_page()
        self.asked, self.said = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda fault: self.said.append(f"fault: {fault}"))

    def open(self, token):
        self.page.goto(f"{self.origin}/terminals")
        self.page.get_by_role("dialog").wait_for()
        self.page.keyboard.type(token)
        self.page.keyboard.press("Enter")
        self.wait_state("no session")

    def wait(self, part, look=None):
        shown = look or (lambda: self.page.evaluate(SCREEN))

        def found():
            self.page.wait_for_timeout(20)  # the browser's events are heard meanwhile
            return part in shown()

        wait_until(found, f"{part!r}: {shown()!r}; {self.said[-5:]}")

    def wait_state(self, part):
        self.wait(part, lambda: self.page.get_by_role("status").inner_text())

    def wait_focus(self):
        """Until keys go to the terminal."""
        self.page.wait_for_function("document.activeElement.closest('.place') !== null")

    def enter(self, line):
        self.page.keyboard.type(line)
        self.page.keyboard.press("Enter")

    @property
    def violations(self):
        return [text for text in self.said if "Content Security Policy" in text or "fault:" in text]

    @property
    def foreign(self):
        return [url for url in self.asked if not any(url.startswith(own) for own in self.own)]


@pytest.fixture
def home(tmp_path):
    """A home whose daemon has pages and terminals; whatever is started in it has ended after the test."""
    found = home_in(tmp_path)
    found.settings |= {"MONITORING_PORT": str(free_port()), "EXAI_TERM_COMMAND": "/bin/sh"}
    yield found
    found.close()


@pytest.fixture
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


def test_type_flood_interrupt_kill_the_daemon_and_go_on(home, browser):
    daemon = home.daemon()
    shown = Page(browser, home)
    shown.open((home.path / "exai/state/ws_token").read_text().strip())
    shown.page.get_by_role("button", name="New").focus()
    shown.page.keyboard.press("Enter")
    shown.wait_state("connected")
    shown.wait_focus()
    shown.enter("echo a$((1+1))b")
    shown.wait("a2b")
    shown.enter("yes flooded")
    shown.wait("flooded\nflooded")
    shown.page.keyboard.press("Control+c")
    shown.enter("clear; echo quiet$((2+2))")
    shown.wait("quiet4")

    daemon.kill()
    daemon.wait()
    shown.wait_state("the daemon is away")
    shown.enter("echo while$((3+3))away")
    home.daemon()
    shown.wait("while6away")
    assert shown.page.evaluate(SCREEN).count("while6away") == 1

    shown.page.keyboard.press("F6")
    assert shown.page.evaluate("document.activeElement.getAttribute('role')") == "tab"
    shown.page.keyboard.press("F6")
    shown.wait_focus()
    shown.enter("exit 5")
    shown.wait_state("exit code 5")
    assert (shown.violations, shown.foreign) == ([], [])


def test_many_lines_are_pasted_only_when_that_is_meant(home, browser):
    home.daemon()
    shown = Page(browser, home)
    shown.open((home.path / "exai/state/ws_token").read_text().strip())
    shown.page.get_by_role("button", name="New").press("Enter")
    shown.wait_state("connected")
    shown.wait_focus()
    paste = """text => {
      const data = new DataTransfer();
      data.setData("text", text);
      document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }"""
    at_once = f"text => {{ document.querySelector('dialog').close(); ({paste})(text); }}"
    dialog = shown.page.get_by_role("dialog")
    for script, answer in ((paste, "Escape"), (paste, None), (at_once, "Enter")):
        shown.page.evaluate(script, f"echo {answer}$((1+1))\necho {answer}$((2+2))\n")
        dialog.wait_for()
        if answer:
            shown.page.keyboard.press(answer)
            dialog.wait_for(state="hidden")
            shown.wait_focus()
    shown.wait("Enter4")
    assert not {"Escape2", "None2"} & set(shown.page.evaluate(SCREEN).split())
    assert shown.violations == []


def test_switched_off_there_is_no_page(home, browser):
    home.settings["EXAI_TERMINALS"] = "false"
    home.daemon()
    answer = browser.new_page().goto(
        f"http://127.0.0.1:{home.settings['MONITORING_PORT']}/terminals"
    )
    assert answer.status == 404
