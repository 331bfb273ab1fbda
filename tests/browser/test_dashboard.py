"""The dashboard as a person has it: a real browser, a real daemon, the simulator behind it."""

import json
import os
import re
from pathlib import Path

import pytest
from dashboard_home import PATIENCE_S, TOKEN, problems, too_wide, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "/": "Overview", "/calls": "Calls", "/sessions": "Sessions", "/conversations": "Conversations", "/usage": "Usage",
    "/storage": "Storage", "/incidents": "Incidents", "/alerts": "Alerts", "/access": "Access", "/daemon": "Daemon",
}  # fmt: skip
SLOW = "prompt=[[simulate: tokens=2000 drip=0.2]] count"
HOSTILE = "<script>document.title='taken'</script>\u202e'\"&lt; " + "w" * 300_000


def test_every_page_is_live_quiet_and_readable_by_everybody(opened, daemon, load):
    """Under load, in light and dark: each page has figures, axe finds nothing, and nothing is wider than 360 px."""
    page = opened("/")
    wrong = []
    for path, title in PAGES.items():
        page.goto(daemon.url + path)
        page.get_by_role("heading", name=title, exact=True).wait_for()
        page.locator("#feed", has_text="live").wait_for()
        page.wait_for_function("() => !document.body.innerText.includes('reading…')")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            wrong += [(path, scheme, each) for each in problems(page)]
        wrong += too_wide(page, path)

    assert [] == wrong


def test_a_running_call_appears_and_its_cancel_ends_it(opened, daemon):
    """It is there without a reload, its waterfall grows, and after the cancel neither we nor the provider have it any more."""
    page = opened("/calls")
    call = daemon.call("chat", SLOW)
    ours = _slow_one(daemon)
    page.locator(f'a[href="/calls/{ours}"]').first.click()
    shown = page.locator(".waterfall")
    shown.wait_for()
    first = shown.get_attribute("aria-label")
    page.wait_for_function(
        "was => document.querySelector('.waterfall').getAttribute('aria-label') !== was", arg=first
    )
    page.get_by_role("button", name="cancel this call").click()
    page.get_by_role("button", name="yes").click()
    page.get_by_text("CANCELLED").first.wait_for()
    out, err = call.communicate(timeout=PATIENCE_S)

    assert "cancelled" in (out + err).lower()
    until(lambda: _is_idle(daemon))


def _slow_one(daemon):
    """The id of a call that has run for longer than the others do."""
    until(lambda: any(row["age_s"] > 4 for row in daemon.ask("/api/overview")["running"]))
    rows = daemon.ask("/api/overview")["running"]
    return max(rows, key=lambda row: row["age_s"])["id"]


def _is_idle(daemon):
    """At some moment between two calls of the load no permit is held, so the cancelled one holds none."""
    permits = daemon.ask("/api/overview")["permits"]
    return all(one["current"] == one["expected"] for one in (permits["global"], *permits["providers"].values()))  # fmt: skip


def test_filters_outlive_navigation_a_reload_and_a_new_tab(opened, load):
    page, held, let_go = opened("/calls"), [], []
    page.locator("td a").first.wait_for()
    page.route("**/api/calls?*", lambda r, _: r.continue_() if let_go else held.append(r))
    page.get_by_label("tool", exact=True).fill("nothing-of-that-name")
    page.get_by_label("tool", exact=True).press("Enter")
    page.get_by_text("reading…").first.wait_for()  # what the filter may not fit is not shown
    let_go.append(True)  # or what is asked between the two is held for ever
    for each in held:
        each.continue_()
    page.unroute("**/api/calls?*")
    page.get_by_text("No call has ended that fits").wait_for()
    url = page.url
    page.reload()
    page.get_by_text("No call has ended that fits").wait_for()
    tab = page.context.new_page()
    tab.goto(url)
    tab.get_by_text("No call has ended that fits").wait_for()
    kept = tab.get_by_label("tool", exact=True).input_value()
    page.get_by_role("link", name="Usage").click()
    page.go_back()
    page.get_by_text("No call has ended that fits").wait_for()

    assert "tool=nothing-of-that-name" in url
    assert "nothing-of-that-name" == kept


def test_a_code_logs_in_once_and_a_token_does_too(opened, daemon):
    """A used code is refused, by word; without a login there are figures and no texts."""
    code = daemon.code()
    first = opened(f"/sessions#code={code}", login=False)
    first.get_by_role("button", name="log out").wait_for()
    second = opened(f"/sessions#code={code}", login=False, quiet=False)
    second.get_by_text("this code is not valid").wait_for()
    texts = second.get_by_role("heading", name="Log in to see sessions")
    texts.wait_for()
    second.locator("main").get_by_role("button", name="Log in").click()
    second.get_by_label("token").fill(TOKEN)
    second.get_by_role("button", name="log in", exact=True).last.click()
    second.get_by_role("button", name="log out").wait_for()
    texts.wait_for(state="detached")
    second.get_by_role("button", name="log out").click()
    texts.wait_for()

    assert "code" not in first.url


def test_everything_is_done_by_keys(opened):
    """`?` lists them, letters go to pages, Escape closes, and what is focused is seen."""
    page = opened("/")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Keys").wait_for(state="detached")
    for letter, title in (("c", "Calls"), ("u", "Usage"), ("d", "Daemon")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.get_by_role("heading", name=title, exact=True).wait_for()
    page.keyboard.press("/")
    focused = page.evaluate("() => document.activeElement.name")
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("p")
    page.locator("#feed", has_text="paused").wait_for()
    page.keyboard.press("p")
    page.locator("#feed", has_text="live").wait_for()
    page.keyboard.press("t")

    assert "q" == focused
    assert "dark" == page.evaluate("() => document.documentElement.dataset.theme")


def test_what_clients_wrote_is_text(opened, daemon):
    """Script, marks that turn the direction, and a word of hundreds of kilobytes: shown, and the page goes on."""
    place = daemon.home / "hostile.txt"
    place.write_text(HOSTILE, "utf-8")
    daemon.call("chat", f"prompt=@{place}").communicate(timeout=PATIENCE_S)
    page = opened("/conversations")
    page.get_by_role("searchbox", name="search").fill("<script>")
    page.get_by_role("searchbox", name="search").press("Enter")
    page.get_by_role("row").filter(has_text="<script>").get_by_role("link").first.click()
    page.get_by_text("<script>document.title").first.wait_for()
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.get_by_role("heading", name="Overview", exact=True).wait_for()

    assert "EXAI · Overview" == page.title()
    assert 1360 >= page.evaluate("() => document.documentElement.scrollWidth")


def test_the_first_html_has_the_figures_and_little_is_loaded(chromium, daemon):
    """Without scripts they are there; with them less than 120 KB come."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(daemon.url)
    bare = page.locator("main").inner_text()
    context.close()
    context = chromium.new_context()
    page = context.new_page()
    sizes = []
    page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0))))  # fmt: skip
    page.goto(daemon.url, wait_until="networkidle")
    context.close()

    assert re.search(r"healthy\s+version\s+\d", bare)
    assert 120_000 > sum(sizes)


def test_a_killed_daemon_is_said_and_its_successor_is_found(opened, daemon):
    """The page says that nobody answers, comes back by itself, and its charts go on."""
    page = opened("/", quiet=False)
    page.locator("#feed", has_text="live").wait_for()
    daemon.kill()
    page.locator("#away").wait_for()
    daemon.start()
    page.locator("#away").wait_for(state="detached")
    boot = daemon.ask("/api/overview")["boot_id"]
    until(lambda: page.locator("#feed").inner_text() == "live")

    assert boot
    assert "now" in page.locator(".chart p").nth(2).inner_text()


@pytest.mark.skipif(
    "EXAI_PICTURE" not in os.environ, reason="EXAI_PICTURE=1 makes docs/dashboard.png anew"
)
def test_a_picture_is_taken_for_the_readme(opened, daemon, load):
    calls = [daemon.call("chat", SLOW) for _ in range(3)]
    page = opened("/")
    page.wait_for_timeout(20_000)  # so that the charts have something to show
    page.screenshot(path=ROOT / "docs" / "dashboard.png")
    for row in json.loads(json.dumps(daemon.ask("/api/overview")["running"])):
        daemon.ask(f"/api/calls/{row['id']}/cancel", {})
    for call in calls:
        call.communicate(timeout=PATIENCE_S)
