"""Alerts, incidents and observations in a real browser, and what somebody sees who may change nothing."""

import json
import sqlite3
import time

import jwt
import pytest
from dashboard_home import PATIENCE_S, SECRET, problems, too_wide, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

CALL = "0123456789abcdef"
TAKEN_UP_MS = 60_000  # the daemon looks at what was spooled each 30 s
TOLD = """() => { window.told = [];
  window.Notification = class { static permission = "granted"; static async requestPermission() { return "granted"; } constructor(title) { told.push(title); } }; }"""
TRACE = "  exai_trio.tools.chat:3 in run\n    raise KeyError(<script>)\nKeyError: …"
ALLOWED = {
    "",
    "clear",
    "older",
    "older calls",
    "more",
    "notify me here",
    "no notifications",
    "export",
}


def spool(daemon):
    """What a process leaves that cannot store its fault itself."""
    now = time.time()
    seen = {
        "error_hash": "1-feedbeef0123456789abcdef", "kind": "bug", "severity": "high", "error_type": "KeyError", "message": "<script>alert(1)</script>",
        "version": "0.9.0", "count": 3, "first_at": now, "last_at": now, "calls": [CALL],
        "context": {"process": "shim", "logger": "exai.shim", "phrase": "planted", "trace": TRACE, "log": ["a line before it"], "figures": {"calls": 3}},
    }  # fmt: skip
    path = daemon.home / "exai/state/incidents.spool.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(seen) + "\n")


def observe(daemon):
    """As the auditor does."""
    with sqlite3.connect(daemon.home / "exai/state/exai.db", timeout=PATIENCE_S) as rows:
        rows.execute(
            "INSERT OR REPLACE INTO observations (id, severity, category, text, figures, at) VALUES ('o-1', 'warning', 'reliability', 'many fail', '{\"calls\": 3}', ?)",
            (time.time(),),
        )


def readable(page, path):
    """What is wrong with it in light, dark, and on 360 px."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [(path, scheme, each) for each in problems(page)]
    return found + too_wide(page, path)


@pytest.fixture
def incident(daemon):
    """Its id; the daemon has taken it up."""
    if not _listed(daemon):
        spool(daemon)
    until(lambda: _listed(daemon), TAKEN_UP_MS / 1000)
    return _listed(daemon)[0]["id"]


def _listed(daemon):
    return daemon.ask("/api/incidents?resolved=all&q=keyerror")["rows"]


def test_an_alert_is_a_notification_where_that_is_wished(opened, daemon):
    """It is told while the page is open, shown with its rule, silenced and heard of again."""
    page = opened("/alerts", before=TOLD)
    page.get_by_role("button", name="notify me here").click()
    page.get_by_role("button", name="no notifications").wait_for()
    spool(daemon)
    heard = "() => told.includes('EXAI: low alert incident')"  # a machine that is slow has others
    page.wait_for_function(heard, timeout=TAKEN_UP_MS)
    page.get_by_label("silence incident").last.select_option("3600")
    page.get_by_role("button", name="unsilence incident").click()
    page.get_by_role("button", name="unsilence incident").wait_for(state="detached")
    page.get_by_role("link", name="incident", exact=True).last.click()
    page.locator("#alert").wait_for()

    assert [] == readable(page, "/alerts")


CONNECTING = """() => { (%s)(); window.cut = 0;
  window.WebSocket = class { readyState = 0; close() { cut += 1; } send() { throw new Error("too early"); } }; }"""


def test_a_feed_that_is_being_connected_is_not_cut(opened):
    """What is wished meanwhile it says once it is open; a cut of it would be told in the console."""
    page = opened("/alerts", before=CONNECTING % TOLD)
    page.get_by_role("button", name="notify me here").click()
    page.get_by_role("button", name="no notifications").wait_for()

    assert 0 == page.evaluate("() => cut")


def test_an_incident_is_explained_resolved_and_opened_again(opened, incident):
    """A model explains it, of the simulator here; each step is seen without a reload."""
    page = opened("/incidents")
    page.locator("select[name=kind]").select_option("world")
    page.get_by_text("No incident fits").wait_for()
    page.locator("select[name=kind]").select_option("bug")
    page.get_by_text("KeyError: <script>").click()
    page.get_by_text("raise KeyError(<script>)").wait_for()
    call = page.get_by_role("link", name=CALL).get_attribute("href")
    page.get_by_role("button", name="investigate").click()
    page.get_by_role("button", name="yes").click()
    page.locator("#explained").wait_for()
    wrong = readable(page, "/incidents/ID")
    page.get_by_role("button", name="resolve").click()
    page.get_by_label("note", exact=True).fill("mended")
    page.get_by_role("button", name="yes").click()
    page.get_by_text("mended").wait_for()
    page.get_by_role("button", name="reopen").click()
    page.get_by_text("came back").first.wait_for()

    assert page.url.endswith(f"/incidents/{incident}")
    assert f"/calls/{CALL}" == call
    assert [] == wrong


def test_incidents_have_a_port_with_a_page_of_their_own(opened, daemon, incident):
    """The same page, with what is there alone."""
    page = opened(f"{daemon.incidents_url}/")
    page.get_by_text("KeyError: <script>").click()
    page.get_by_text("raise KeyError(<script>)").wait_for()

    assert ["Incidents", "Alerts"] == page.locator("nav a").all_inner_texts()


def test_an_observation_is_shown_and_acknowledged(opened, daemon):
    observe(daemon)
    page = opened("/incidents")
    page.get_by_role("link", name="Observations").click()
    page.get_by_role("button", name="acknowledge many fail").click()
    page.get_by_text("seen by owner").wait_for()

    assert [] == readable(page, "/incidents?tab=observations")


PAGES = ("/", "/calls", "/sessions", "/conversations", "/usage", "/storage", "/incidents", "/incidents?tab=observations", "/alerts", "/access", "/daemon")  # fmt: skip
REFUSED = """async paths => {
  const headers = { authorization: `Bearer ${localStorage.getItem("exai-session")}`, "content-type": "application/json" };
  return Promise.all(paths.map(async path => (await fetch(path, { method: "POST", headers, body: "{}" })).status));
}"""


def test_a_viewer_sees_no_button_that_it_may_not_press(opened, daemon, load):
    """And what it asks for all the same is refused."""
    token = jwt.encode({"sub": "eve", "role": "viewer", "exp": time.time() + 600}, SECRET)
    page = opened("/", login=False, quiet=False)
    session = daemon.ask("/api/login", {"token": token})["session"]
    page.evaluate("session => localStorage.setItem('exai-session', session)", session)
    found = []
    for path in PAGES:
        page.goto(daemon.url + path)
        page.get_by_role("button", name="log out").wait_for()
        page.wait_for_function("() => !document.body.innerText.includes('reading…')")
        found += page.locator("main button, main select[aria-label^=silence]").all_inner_texts()
    paths = ["/api/calls/x/cancel", "/api/sessions/x/end", "/api/alerts/disk/silence", "/api/alerts/disk/unsilence", "/api/incidents/x/investigate",
             "/api/incidents/x/resolve", "/api/incidents/x/reopen", "/api/auditor/observations/x/acknowledge", "/api/storage/cleanup", "/api/conversations/x/delete"]  # fmt: skip
    statuses = page.evaluate(REFUSED, paths)

    assert set() == set(found) - ALLOWED
    assert [403] * len(paths) == statuses


def test_a_login_outlives_the_daemon_under_its_page(opened, daemon):
    """Killed and started again: the page is logged in still, and its texts come."""
    page = opened("/sessions", quiet=False)
    daemon.kill()
    page.locator("#away").wait_for()
    daemon.start()
    page.locator("#away").wait_for(state="detached")
    page.reload()
    page.get_by_role("button", name="log out").wait_for()
    page.get_by_role("heading", name="Sessions", exact=True).wait_for()

    assert 0 == page.get_by_role("heading", name="Log in to see sessions").count()
