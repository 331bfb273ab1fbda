"""A real browser before the pages of a real daemon, whose calls go to the simulator.

Skipped, with the reason, where there is no chromium of Debian's or no Playwright.
"""

import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what these tests share is beside them

from dashboard_home import CHROMIUM, PATIENCE_S, Home, Watched


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    reason = _missing()
    for item in items:
        if reason and here in item.path.parents and item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(reason=reason))


def _missing():
    if CHROMIUM is None:
        return "no chromium: apt-get install chromium"
    try:
        import playwright.sync_api  # noqa: F401 - only looked for
    except ImportError:
        return "Playwright for Python is not installed: scripts/setup dev"
    return ""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    home.start()
    yield home
    home.stop()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, daemon):
    """`opened("/calls")`: a page of a new browser, logged in unless `code` is None; what it says beside is looked at in the end."""
    contexts, watched = [], []

    def open_page(path="/", *, login=True, quiet=True, before="", **how):
        still = {"viewport": {"width": 1360, "height": 900}, "reduced_motion": "reduce"}
        context = chromium.new_context(**still, **how)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        if before:
            page.add_init_script(f"({before})()")
        if quiet:
            watched.append(Watched(page).watch())
        page.goto(
            (path if "://" in path else f"{daemon.url}{path}")
            + (f"#code={daemon.code()}" if login else "")
        )
        if login:
            page.get_by_role("button", name="log out").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == [line for each in watched for line in each.said]
    assert not [
        url
        for each in watched
        for url in each.asked
        if not url.startswith((daemon.url, daemon.incidents_url, "blob:"))
    ]


@pytest.fixture(scope="module")
def load(daemon):
    """Calls that come one after the other until the module ends; the first has been answered."""
    over, first = threading.Event(), threading.Event()

    def ask():
        while not over.is_set():
            daemon.call("chat", "prompt=[[simulate: tokens=20]] hello").communicate()
            first.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert first.wait(PATIENCE_S)
    yield
    over.set()
    asking.join()
