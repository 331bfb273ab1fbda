"""Who may do what in a real browser: a login and its end, a token that ends in mid-page, a viewer, and pages of others."""

import http.server
import json
import re
import threading
import time
from contextlib import contextmanager

import jwt
import pytest
from dashboard_home import CHROMIUM, PATIENCE_S, Home, Watched, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SECRET = "a key for those who look at pages, long enough"
SLOW = "prompt=[[simulate: tokens=2000 drip=0.2]] count"


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    """A daemon that takes JWTs beside the home's token."""
    home = SigningHome(tmp_path_factory.mktemp("signing"))
    home.start()
    yield home
    home.stop()


class SigningHome(Home):
    @property
    def environ(self):
        return super().environ | {"JWT_SECRET_KEY": SECRET}

    def jwt(self, role="user", ends=2**40):
        return jwt.encode({"sub": "exai", "exp": ends, "role": role}, SECRET)

    def code(self, token=""):
        return self.ask("/api/login/code", {}, token)["code"]

    def ask(self, path, body=None, token=""):
        self.shown = token or self.jwt("admin")
        return super().ask(path, body)

    @property
    def token(self):
        return self.shown


@pytest.fixture
def visit(chromium, signing):
    """`visit(token)`: a page of a new browser, logged in by it."""
    contexts = []

    def open_page(token="", path="/"):
        context = chromium.new_context(viewport={"width": 1360, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        Watched(page).watch()
        page.goto(signing.url + path + (f"#code={signing.code(token)}" if token else ""))
        page.locator("#feed", has_text="live").wait_for()
        if token:
            page.get_by_role("button", name="log out").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


def asked(page, path, body=None):
    """The status of a request that the page's own script makes, with its session."""
    return page.evaluate(
        """async ([path, body]) => {
            const headers = {authorization: `Bearer ${localStorage.getItem("exai-session")}`, "content-type": "application/json"};
            return (await fetch(path, body ? {method: "POST", headers, body: JSON.stringify(body)} : {headers})).status;
        }""",
        [path, body],
    )


def test_a_login_and_its_end(visit, signing):
    """A pasted token opens what is behind it; after the logout nothing of it is left, and its session opens nothing."""
    page = visit(path="/sessions")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_label("token").fill("not the token")
    page.get_by_role("dialog").get_by_role("button", name="log in").click()
    page.get_by_role("dialog").get_by_role("alert").wait_for()
    page.get_by_label("token").fill(signing.jwt("admin"))
    page.get_by_role("dialog").get_by_role("button", name="log in").click()
    page.get_by_role("button", name="log out").wait_for()
    session = page.evaluate("() => localStorage.getItem('exai-session')")
    open_ = asked(page, "/api/settings")
    page.get_by_role("button", name="log out").click()
    page.get_by_role("heading", name="Log in to see sessions").wait_for()
    page.evaluate("session => localStorage.setItem('exai-session', session)", session)

    assert (200, 401) == (open_, asked(page, "/api/settings"))


LOGIN = """async token => {
    const headers = {"content-type": "application/json"};
    const told = await (await fetch("/api/login", {method: "POST", headers, body: JSON.stringify({token})})).json();
    localStorage.setItem("exai-session", told.session);
    return (await fetch("/api/settings", {headers: {authorization: `Bearer ${told.session}`}})).status;
}"""


def test_a_token_that_ends_in_mid_page(visit, signing):
    """While somebody looks: the page asks for a login, and its session opens nothing any more."""
    page = visit(signing.jwt("admin"), "/daemon")
    page.get_by_role("heading", name="Settings").wait_for()
    before = page.evaluate(LOGIN, signing.jwt("admin", time.time() + 6))
    page.get_by_role("heading", name="Log in to see settings").wait_for()

    assert page.get_by_role("button", name="log in", exact=True).count()
    assert (200, 401) == (before, asked(page, "/api/settings"))


def test_a_viewer_sees_no_button_that_it_may_not_press(visit, signing):
    """Of its own call, sessions, storage and alerts; and each request that such a button makes is refused all the same."""
    call = signing.call("chat", SLOW)
    until(lambda: signing.ask("/api/overview")["running"])
    running = signing.ask("/api/overview")["running"][0]["id"]
    changes = {
        f"/calls/{running}": "cancel", "/sessions": "end", "/storage": "run|look", "/alerts": "silence", "/conversations": "delete|name|copy",
    }  # fmt: skip
    seen = {}
    for role in ("viewer", "admin"):
        page = visit(signing.jwt(role))
        for path, names in changes.items():
            page.goto(signing.url + path)
            page.get_by_role("button", name="log out").wait_for()
            page.wait_for_function("() => !document.body.innerText.includes('reading…')")
            main = page.locator("main")
            seen[role, path] = main.get_by_role("button", name=re.compile(f"^({names})")).count()
        if role == "viewer":
            refused = [
                asked(page, path, {})
                for path in (f"/api/calls/{running}/cancel", "/api/sessions/any/end", "/api/storage/cleanup", "/api/alerts/disk/silence")
            ]  # fmt: skip
    still = [row["id"] for row in signing.ask("/api/overview")["running"]]
    cancelled = asked(page, f"/api/calls/{running}/cancel", {})
    call.communicate(timeout=PATIENCE_S)

    assert not {path: n for (role, path), n in seen.items() if role == "viewer" and n}
    assert seen["admin", f"/calls/{running}"]
    assert seen["admin", "/storage"]
    assert [403] * 4 == refused
    assert running in still
    assert 200 == cancelled


@contextmanager
def another_site():
    """A site of somebody else's on another port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>hello</h1>")

        def log_message(self, *_given):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


TRIES = """async ([origin, token]) => {
    const got = [];
    for (const [mode, how] of [["cors", {}], ["no-cors", {}], ["cors", {headers: {authorization: `Bearer ${token}`}}], ["no-cors", {method: "POST", body: "{}"}]])
        try { const r = await fetch(origin + "/api/overview", {mode, ...how}); got.push(r.type === "opaque" ? "" : await r.text()); } catch { got.push(""); }
    for (const path of ["/ws", "/"])
        got.push(await new Promise(done => { const s = new WebSocket(origin.replace("http", "ws") + path); s.onopen = () => done("open"); s.onerror = () => done(""); }));
    return got;
}"""


def test_a_page_of_another_port_and_one_under_a_rebound_name_get_nothing(chromium, signing):
    """Neither reads an answer nor opens a WebSocket, on the dashboard's port or the daemon's, even with a good token."""
    got = {}
    with another_site() as port:
        rebound = chromium.browser_type.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--host-resolver-rules=MAP evil.example 127.0.0.1"],
        )
        page = rebound.new_page()
        for name, origin in (("another port", f"http://127.0.0.1:{port}"), ("rebound", f"http://evil.example:{port}")):  # fmt: skip
            page.goto(origin)
            for to in (signing.pages, signing.port):
                host = origin.rpartition(":")[0]
                got[name, to] = page.evaluate(TRIES, [f"{host}:{to}", signing.jwt("admin")])
        shown = page.goto(f"http://evil.example:{signing.pages}/api/overview")
        got["opened", "rebound"] = [str(shown.status), shown.text()]
        rebound.close()

    assert {""} == {one for key, all_ in got.items() if key[0] != "opened" for one in all_}
    status, text = got["opened", "rebound"]
    assert "403" == status
    assert "EXAI_ALLOWED_HOSTS" in json.loads(text)["error"]["message"]
