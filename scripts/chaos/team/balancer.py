"""The shipped configuration of haproxy, moved to ports of this machine, and what its page tells of the daemons."""

from collections.abc import Sequence
from pathlib import Path

import attrs

_SHIPPED = Path(__file__).parents[3] / "docs" / "deploy" / "haproxy.cfg"


@attrs.frozen
class Ports:
    """Where one daemon, or the balancer, is reached; `health` is its page of servers if it is the balancer."""

    websocket: int
    mcp: int
    health: int


def moved(daemons: Sequence[Ports], balancer: Ports) -> str:
    """The configuration that is shipped but for the addresses, with a page of servers at /csv."""
    config = _SHIPPED.read_text(encoding="utf-8")
    config = config.replace("bind :8079", f"bind 127.0.0.1:{balancer.websocket}")
    config = config.replace("bind :8090", f"bind 127.0.0.1:{balancer.mcp}")
    config = config.replace("check port 8082", "check")
    for name, one in zip("ab", daemons, strict=True):
        for inside, outside in ((8079, one.websocket), (8090, one.mcp)):
            address = f"127.0.0.1:{outside} port {one.health}"
            config = config.replace(f"daemon-{name}:{inside}", address)
    page = f"bind 127.0.0.1:{balancer.health}\n    stats enable\n    stats uri /csv\n"
    return f"{config}\nlisten stats\n    {page}"


def servers_up(page: str) -> set[tuple[str, str]]:
    """Those that take clients, by backend and name, as the page /csv;csv tells them."""
    rows = [line.split(",") for line in page.splitlines()]
    told = [row for row in rows if row[0] in {"daemons", "mcp"} and row[1] in {"a", "b"}]
    return {(row[0], row[1]) for row in told if row[17].startswith("UP")}
