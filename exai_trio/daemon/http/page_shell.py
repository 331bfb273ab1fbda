"""The one HTML page of the dashboard, for each of its paths: it holds the current figures, and its scripts do the rest."""

from functools import partial
from html import escape
from typing import Any, Final

import trio

from exai_trio.errors import NotFoundError
from exai_trio.observability.json_bytes import json_bytes

from .gate import header_of
from .overview import overview_of
from .page_assets import PageAssets, page_assets
from .route_table import Asked, Content, Route
from .watched_daemon import WatchedDaemon

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
    "/access",
    "/daemon",
    "/monitoring_dashboard.html",
    "/semaphore_monitor.html",
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>EXAI</title>
<link rel="icon" href="{assets}/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{assets}/vendor/uPlot.min.css">
<link rel="stylesheet" href="{assets}/dashboard.css">
<script defer src="{assets}/vendor/uPlot.iife.min.js"></script>
<script type="module" src="{assets}/dashboard.js"></script>
</head>
<body>
<div id="app"><header class="top"><a class="brand" href="/">EXAI</a></header>
<main class="first"><h1>{status}</h1>
<dl>{figures}</dl>
<noscript><p>This page needs its own scripts to follow the daemon; without them it shows the figures of the moment at which it was opened.</p></noscript></main></div>
<script type="application/json" id="first">{first}</script>
</body>
</html>
"""
_FOREVER: Final = {"cache-control": "public, max-age=31536000, immutable"}


def page_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    """The same page at each path; what it shows is by its URL."""
    show = partial(_page, watched)
    return (
        *(Route(path=path, gives="open", answer=show) for path in PATHS),
        Route(path="/favicon.ico", gives="open", answer=_icon),
        Route(path="/assets/{version}/{name}", gives="open", answer=_asset),
        Route(path="/assets/{version}/vendor/{name}", gives="open", answer=_vendored),
    )


async def _assets() -> PageAssets:
    return await trio.to_thread.run_sync(page_assets)


async def _page(watched: WatchedDaemon, asked: Asked) -> Content:
    """With the figures, for whoever may see them."""
    assets = await _assets()
    overview = overview_of(watched) if asked.by.may("figures") else None
    figures = {} if overview is None else _first_figures(overview)
    text = _PAGE.format(
        assets=f"/assets/{assets.version}",
        status=escape(overview["status"] if overview else "log in to see this daemon"),
        figures="".join(
            f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in figures.items()
        ),
        first=_in_script({"overview": overview, "assets": assets.version}),
    )
    return Content(body=text.encode(errors="replace"), media="text/html; charset=utf-8")


def _first_figures(overview: dict[str, Any]) -> dict[str, Any]:
    calls = overview["calls"]
    return {
        "version": overview["version"],
        "up": overview["uptime_human"],
        "running calls": calls["running"],
        "answered": calls["finished"],
        "failed": calls["failed"],
        "sessions": overview["sessions"],
        "connections": overview["connections"],
        "troubles": "; ".join(overview["troubles"]) or "none",
    }


def _in_script(value: object) -> str:
    """JSON in which nothing ends the element that it stands in."""
    return json_bytes(value).decode().replace("<", "\\u003c").replace("\u2028", "\\u2028")


async def _asset(asked: Asked) -> Content:
    return await _file(asked.path["name"], asked)


async def _vendored(asked: Asked) -> Content:
    return await _file(f"vendor/{asked.path['name']}", asked)


async def _icon(asked: Asked) -> Content:
    return await _file("icon.svg", asked)


async def _file(name: str, asked: Asked) -> Content:
    """Raises NotFoundError. An older page may ask by an older version, and gets what there is."""
    assets = await _assets()
    if name not in assets.files:
        raise NotFoundError("there is no such file")
    headers = {**_FOREVER, "vary": "accept-encoding"}
    if b"gzip" in header_of(asked.raw, b"accept-encoding"):
        packed = {**headers, "content-encoding": "gzip"}
        return Content(body=assets.packed[name], media=assets.media(name), headers=packed)
    return Content(body=assets.files[name], media=assets.media(name), headers=headers)
