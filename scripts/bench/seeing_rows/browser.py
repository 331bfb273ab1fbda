"""A real browser: Debian's chromium, driven by Playwright."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from ..processes import NotHere


@contextmanager
def chromium() -> Generator[Any]:
    """Raises NotHere."""
    program = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NotHere("Playwright for Python is not installed") from None
    if program is None:
        raise NotHere("there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
