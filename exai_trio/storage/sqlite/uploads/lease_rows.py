"""What one process alone does at a time, as rows with a fence: each function is one piece of work in an open transaction."""

from typing import TYPE_CHECKING, Final

from exai_trio.storage.contracts.cleanup_records import Lease

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

_TAKE: Final = """
    INSERT INTO leases (name, holder, fence, until) VALUES (:name, :holder, 1, :until)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = fence + 1, until = excluded.until
    WHERE leases.until <= :now OR leases.holder = excluded.holder
    RETURNING fence
"""


def take(
    connection: "Connection", now: float, name: str, holder: str, for_s: float
) -> Lease | None:
    asked = {"name": name, "holder": holder, "now": now, "until": now + for_s}
    rows = connection.execute(_TAKE, asked).fetchall()
    if not rows:
        return None
    return Lease(name=name, holder=holder, fence=rows[0][0], until=now + for_s)


def renew(connection: "Connection", now: float, lease: Lease, for_s: float) -> bool:
    done = connection.execute(
        "UPDATE leases SET until = ? WHERE name = ? AND holder = ? AND fence = ?",
        (now + for_s, lease.name, lease.holder, lease.fence),
    )
    return done.rowcount == 1


def give_back(connection: "Connection", lease: Lease) -> None:
    connection.execute(
        "UPDATE leases SET until = 0 WHERE name = ? AND holder = ? AND fence = ?",
        (lease.name, lease.holder, lease.fence),
    )
