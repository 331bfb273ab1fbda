"""A home whose daemon is killed and started again, and what a page says beside what it shows."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import attrs
from free_ports import free_port

CHROMIUM = shutil.which("chromium")
PATIENCE_S = 30.0
SECRET, TOKEN = "s" * 40, "t" * 40
AXE = Path(__file__).parent / "vendor" / "axe.min.js"


@attrs.define
class Home:
    """A daemon in a home of its own, which can be killed and started again on its ports."""

    home: Path
    port: int = attrs.field(factory=free_port)
    pages: int = attrs.field(factory=free_port)
    incidents: int = attrs.field(factory=free_port)
    process: object = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.pages}"

    @property
    def incidents_url(self):
        return f"http://127.0.0.1:{self.incidents}"

    @property
    def environ(self):
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "ENV_FILE": os.devnull, "EXAI_HOME": str(self.home / "exai"),
            "EXAI_WS_PORT": str(self.port), "MONITORING_PORT": str(self.pages), "HEALTH_CHECK_PORT": "0", "INCIDENTS_PORT": str(self.incidents),
            "EXAI_SIMULATE": "true", "JWT_SECRET_KEY": SECRET, "EXAI_WS_TOKEN": TOKEN,
        }  # fmt: skip

    @property
    def token(self):
        """What `ask` shows."""
        return TOKEN

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "exai_trio", "serve"], env=self.environ, cwd=self.home,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        said = self.process.stdout.readline()
        assert said.startswith("exai serves"), said

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.communicate(timeout=PATIENCE_S)

    def call(self, tool, *arguments):
        """`exai call`, running."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "exai_trio", "call", tool, *arguments],
            env=self.environ, cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, path, body=None):
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers)  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - ours
            return json.loads(answer.read())

    def code(self):
        return self.ask("/api/login/code", {})["code"]


@attrs.define
class Watched:
    """What a page said beside what it showed."""

    page: object
    said: list = attrs.field(factory=list)
    asked: list = attrs.field(factory=list)

    def watch(self):
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda fault: self.said.append(str(fault)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
        return self


def problems(page):
    """What axe finds."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


def too_wide(page, path):
    """Whether it stays wider than a small telephone; charts follow a window's size a moment later."""
    from playwright.sync_api import TimeoutError as StaysWide

    page.set_viewport_size({"width": 360, "height": 740})
    try:
        page.wait_for_function("() => document.documentElement.scrollWidth <= 360", timeout=5_000)
        wide = []
    except StaysWide:
        wide = [(path, "is wider than 360 px")]
    page.set_viewport_size({"width": 1360, "height": 900})
    return wide


def until(condition, within_s=PATIENCE_S):
    """Wait for it."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
