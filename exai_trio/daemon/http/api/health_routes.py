"""The routes that monitors read, on the port of health and beside the pages: health, and metrics for Prometheus and what reads as it does."""

from collections.abc import Callable
from functools import partial
from typing import Any

from exai_trio.observability.json_bytes import json_bytes
from exai_trio.observability.meters.exposition import exposition, media_for

from ...health.report import Report
from ..gate import header_of
from ..route_table import Asked, Content, Route

Facts = Callable[[], dict[str, Any]]


def health_routes(report: Report) -> tuple[Route, ...]:
    """The port of health: /health/live and /health/ready give their status to anybody."""
    figures: dict[str, Facts] = {
        "/health": report.health,
        "/health/semaphores": report.semaphores,
        "/health/websocket": report.websocket,
    }
    return (
        *(Route(path, "figures", _of(read)) for path, read in figures.items()),
        Route("/health/live", "open", partial(_live, report)),
        Route("/health/ready", "open", partial(_ready, report)),
    )


def _of(read: Facts) -> Callable[[Asked], Any]:
    async def answer(_asked: Asked) -> dict[str, Any]:
        return read()

    return answer


async def _live(report: Report, asked: Asked) -> dict[str, Any]:
    facts = report.identity()
    return facts if asked.by.may("figures") else {"status": facts["status"]}


async def _ready(report: Report, _asked: Asked) -> Content:
    status = "draining" if report.draining else "ready" if report.may_serve else "no lease"
    return Content(body=json_bytes({"status": status}), status=200 if status == "ready" else 503)


def metrics_routes(report: Report) -> tuple[Route, ...]:
    """On both ports."""
    return (Route("/metrics", "figures", partial(_metrics, report)),)


async def _metrics(report: Report, asked: Asked) -> Content:
    accept = header_of(dict(asked.raw), b"accept").decode("latin-1")
    media = media_for(accept)
    return Content(body=exposition(report.meters.snapshot(), media), media=media)
