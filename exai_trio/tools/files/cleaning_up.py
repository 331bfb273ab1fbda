"""The coordinator of cleaning up, as the settings have it: for the daemon's job and for `exai cleanup`."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from exai_trio.config import Config
from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator, CleanupLimits
from exai_trio.filestore.kept_files import KeptFiles
from exai_trio.filestore.shared_cleanup import SharedCleanup
from exai_trio.principals import OWNER
from exai_trio.storage.contracts.cleanup_records import Account
from exai_trio.tools.files.shelves import GatewayShelf

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.attempts import Listener
    from exai_trio.providers.gateway import Gateway

_WITH_FILES: Final = ("kimi", "glm")
_HOUR_S, _DAY_S, _GB = 3600.0, 86_400.0, 1024**3


def coordinator(
    config: Config,
    kept: KeptFiles,
    gateway: "Gateway",
    now: Callable[[], float],
    *,
    listener: "Listener",
) -> SharedCleanup:
    """`now` is the clock by which conversations expire. The providers that can be reached are looked for at each run."""
    shelves, limits = partial(_shelves, gateway, listener), _limits(config)
    local = CleanupCoordinator(
        store=kept.cleanup,
        registry=kept.registry.of(OWNER),
        objects=kept.objects,
        shelves=shelves,
        limits=limits,
        now=now,
        compares=kept.hosted is None,
    )
    if kept.hosted is None:
        return SharedCleanup(local=local)
    hosted = CleanupCoordinator(
        store=kept.hosted.cleanup,
        registry=kept.hosted.registry.of(OWNER),
        objects=kept.hosted.bucket,
        shelves=shelves,
        limits=limits,
        now=now,
    )
    return SharedCleanup(local=local, hosted=hosted)


def _shelves(gateway: "Gateway", listener: "Listener") -> dict[Account, GatewayShelf]:
    configured = gateway.permits()
    return {
        Account(provider=name, account=gateway.account(name)): GatewayShelf(gateway, name, listener)
        for name in _WITH_FILES
        if name in configured
    }


def _limits(config: Config) -> CleanupLimits:
    return CleanupLimits(
        grace_s=config.cleanup_grace_hours * _HOUR_S,
        history_s=config.history_days * _DAY_S,
        files_bytes=int(config.files_max_gb * _GB),
    )
