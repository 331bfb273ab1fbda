"""The route of /metrics, for Prometheus and what reads as it does."""

from functools import partial

from exai_trio.observability.meters.exposition import exposition, media_for

from ...health.report import Report
from ..gate import header_of
from ..route_table import Asked, Content, Route


def metrics_routes(report: Report) -> tuple[Route, ...]:
    """On both ports."""
    return (Route("/metrics", "figures", partial(_metrics, report)),)


async def _metrics(report: Report, asked: Asked) -> Content:
    accept = header_of(dict(asked.raw), b"accept").decode("latin-1")
    media = media_for(accept)
    return Content(body=exposition(report.meters.snapshot(), media), media=media)
