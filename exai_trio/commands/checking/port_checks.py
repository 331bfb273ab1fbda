"""What `exai doctor` looks at of the ports for HTTP: whether they answer, and who else has them."""

from collections.abc import Iterator
from http import HTTPStatus

from exai_trio.commands.checking.findings import Finding, Seen


def health_port(seen: Seen) -> Iterator[Finding]:
    port = seen.config.health_check_port
    if not port or not seen.daemon.reached:
        return
    if seen.health is None:
        yield Finding.warn(
            f"nothing answers HTTP on HEALTH_CHECK_PORT {port}",
            "see the daemon's log; another program may hold the port",
        )
    else:
        yield Finding(
            state="ok" if seen.health == HTTPStatus.OK else "warn",
            what=f"/health on port {port} answers {seen.health}",
            remedy="" if seen.health == HTTPStatus.OK else "see `exai status`",
        )


def holders(seen: Seen) -> Iterator[Finding]:
    """Ports of ours that somebody else has."""
    for variable, port in seen.http_ports:
        if who := seen.holders.get(port):
            yield Finding.warn(
                f"port {port} ({variable}) is taken by {who}",
                f"let {variable} be another port, or 0 for none; then `exai restart`",
            )
