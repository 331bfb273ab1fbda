"""Texts that would like to be more than text, wherever clients, models and faults bring them: nothing is executed, every page stays usable."""

import json
import socket
import sqlite3
import time

import pytest
from dashboard_home import PATIENCE_S, TOKEN, too_wide, until
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

IMAGE = '<img src=x onerror="taken=1">'
MARKUP = f"{IMAGE}<script>taken=1</script><svg onload='taken=1'></svg>&lt;${{taken=1}}"
HOSTILE = f"{MARKUP}\u202e\u2066\x00\"'`"
WORD = "w" * 1_000_000
HALF = "\ud800"
PAGES = ("/", "/calls", "/sessions", "/conversations", "/usage", "/storage", "/incidents", "/incidents?tab=observations", "/alerts", "/access", "/daemon")  # fmt: skip
SHOWING = ("/sessions", "/conversations", "/incidents", "/incidents?tab=observations")
IS_SHOWN = """text => { const shown = document.querySelector("main").innerText; return shown.includes(text) && !shown.includes("reading…"); }"""
# What is wrong with a page: something ran, an element was made of a text, or a mark turns more than its own text.
WRONG = """() => {
  const wrong = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  if (window.taken !== undefined) wrong.push("taken");
  for (const made of document.querySelectorAll("main img, main script, main iframe, [onerror], [onload]")) wrong.push(made.outerHTML.slice(0, 200));
  for (const link of document.querySelectorAll("a[href]")) if (!/^https?:/.test(link.href)) wrong.push(link.href.slice(0, 200));
  while (walk.nextNode()) {
    const text = walk.currentNode, around = text.parentElement, style = getComputedStyle(around);
    if (!/[\\u202e\\u2066]/.test(text.data) || style.unicodeBidi !== "normal") continue;
    if (style.display === "inline" || around.textContent.trim() !== text.data.trim()) wrong.push(`turns ${around.outerHTML.slice(0, 200)}`);
  }
  return wrong;
}"""


class Client:
    """A window that says what it likes; what it hears are bytes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.protocol, self.heard = WSConnection(ConnectionType.CLIENT), b""
        self.socket.sendall(self.protocol.send(Request(host="127.0.0.1", target="/")))
        self.protocol.receive_data(self.wait(b"\r\n\r\n"))

    def say(self, op, **fields):
        self.socket.sendall(self.protocol.send(TextMessage(json.dumps({"op": op, **fields}))))

    def wait(self, part, times=1):
        while self.heard.count(part) < times:
            data = self.socket.recv(65_536)
            assert data, self.heard[-300:]
            self.heard += data
        return self.heard


CALLS = (
    (HOSTILE, {}),
    ("chat", {"prompt": HOSTILE + WORD}),
    ("chat", {"prompt": HOSTILE, "model": HOSTILE}),
    ("chat", {"prompt": f"[[simulate: status=400]] {HOSTILE}"}),
    ("chat", {HOSTILE: HOSTILE}),
)


@pytest.fixture(scope="module")
def seeded(daemon):
    """Hostile in each place that such a text can come to; gives the pages of one of each."""
    fault = {
        "error_hash": "1-00c0ffee00c0ffee00c0ffee", "kind": "bug", "severity": "high", "error_type": f"Key{HOSTILE}{HALF}", "version": HOSTILE,
        "message": HOSTILE + HALF + WORD, "count": 1, "first_at": time.time(), "last_at": time.time(), "calls": [HOSTILE + HALF],
        "context": {"process": HOSTILE, "phrase": HOSTILE + HALF, "trace": HOSTILE + HALF + WORD, "log": [HOSTILE + HALF, WORD], "figures": {HOSTILE: 3}},
    }  # fmt: skip
    with (daemon.home / "exai/state/incidents.spool.jsonl").open("a") as file:
        file.write(json.dumps(fault) + "\n")
    with sqlite3.connect(daemon.home / "exai/state/exai.db", timeout=PATIENCE_S) as rows:
        rows.execute(
            "INSERT OR REPLACE INTO observations (id, severity, category, text, figures, at) VALUES ('o-9', 'warning', 'reliability', ?, ?, ?)",
            (HOSTILE + WORD, json.dumps({HOSTILE: 3}), time.time()),
        )
    client = Client(daemon.port)
    with client.socket:
        client.say("hello", token=TOKEN, session_id=HOSTILE, client_name=HOSTILE, client_version=HOSTILE)  # fmt: skip
        client.wait(b"hello_ack")
        for number, (tool, arguments) in enumerate(CALLS):
            client.say("call_tool", request_id=f"r{number}", name=tool, arguments=arguments)
        client.wait(b'"op":"call_tool_res"', len(CALLS))
    until(lambda: daemon.ask("/api/conversations")["rows"])
    conversation = daemon.ask("/api/conversations")["rows"][0]["id"]
    daemon.ask(f"/api/conversations/{conversation}/name", {"name": HOSTILE[:100]})
    until(lambda: daemon.ask("/api/calls?tool=chat")["rows"])
    call = daemon.ask("/api/calls?tool=chat")["rows"][-1]["id"]
    until(lambda: daemon.ask("/api/incidents?q=taken")["rows"], 60)
    incident = daemon.ask("/api/incidents?q=taken")["rows"][0]["id"]
    return (f"/calls/{call}", f"/conversations/{conversation}", f"/incidents/{incident}")


def test_nothing_is_executed_and_every_page_stays_usable(opened, daemon, seeded):
    """Markup, NUL, halves of characters, marks that turn the direction and words of a megabyte, as names of sessions, tools, models and
    conversations, as arguments, errors, incidents and observations: text, of its own direction, not wider than the page; keys and links go
    on."""
    wrong = []
    for origin, paths in ((daemon.url, (*PAGES, *seeded)), (daemon.incidents_url, ("/", seeded[-1]))):  # fmt: skip
        page = opened(f"{origin}/")
        for path in paths:
            page.goto(origin + path)
            page.wait_for_function(IS_SHOWN, arg=IMAGE if path in (*SHOWING, *seeded[1:]) else "")
            wrong += [(path, each) for each in page.evaluate(WRONG)]
            wrong += too_wide(page, path)
            wrong += [] if page.title().startswith("EXAI") else [(path, page.title())]
        page.keyboard.press("g")
        page.keyboard.press("i")
        page.get_by_role("heading", name="Incidents", exact=True).wait_for()

    assert [] == wrong
