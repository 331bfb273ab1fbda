"""The one HTML page of the dashboard, for each of its paths."""

from typing import Final

from .route_table import Asked, Content, Route

PATHS: Final = (
    "/",
    "/calls",
    "/calls/{id}",
    "/sessions",
    "/conversations",
    "/conversations/{id}",
    "/usage",
    "/storage",
    "/incidents",
    "/incidents/{id}",
    "/alerts",
    "/daemon",
    "/monitoring_dashboard.html",
    "/semaphore_monitor.html",
)
_PAGE: Final = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>EXAI</title>
<h1>EXAI</h1>
"""


def page_routes() -> tuple[Route, ...]:
    """The same page at each path; what it shows is by its URL."""
    return tuple(Route(path=path, gives="open", answer=_page) for path in PATHS)


async def _page(_asked: Asked) -> Content:
    return Content(body=_PAGE, media="text/html; charset=utf-8")
