"""The scenarios by name."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import attrs

from . import (
    hosted,
    http_streams,
    kills,
    leaving,
    network,
    probing,
    providers,
    scarcity,
    sessions,
    starting,
    terminals,
    uploads,
)
from .team import members, moving, strikes
from .trial import Trial


def _nothing() -> str:
    return ""


@attrs.frozen
class Scenario:
    """`unable` says why it cannot be played on this machine. `share` of the wanted cycles is played, at least one. `long` ones
    are not of `all`: they must be named."""

    play: Callable[[Trial], Awaitable[None]]
    unable: Callable[[], str] = _nothing
    share: float = 1.0
    long: bool = False

    @property
    def about(self) -> str:
        told = (self.play.__doc__ or "").partition("\n")[0]
        return f"{told} (not of `all`)" if self.long else told


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "kill-daemon": Scenario(kills.kill_daemon),
    "kill-acks": Scenario(kills.kill_acks),
    "kill-shim": Scenario(kills.kill_shim),
    "sigterm": Scenario(leaving.sigterm),
    "rolling": Scenario(leaving.rolling),
    "probed": Scenario(probing.probed, share=0.1),
    "drain-long": Scenario(leaving.drain_long, share=0.02),
    "two-daemons": Scenario(leaving.two_daemons),
    "autostarted": Scenario(starting.autostarted, share=0.2),
    "no-daemon": Scenario(starting.no_daemon, share=0.5),
    "freeze": Scenario(network.freeze),
    "cut": Scenario(network.cut),
    "cut-in-frame": Scenario(network.cut_in_frame),
    "half-open": Scenario(network.half_open),
    "slow": Scenario(network.slow),
    "storm": Scenario(network.storm, share=0.2),
    "narrow": Scenario(network.narrow),
    "namespace": Scenario(network.namespace, network.no_namespaces),
    **{name: Scenario(providers.provider) for name in providers.names()},
    "provider-odd": Scenario(providers.odd),
    "disk-full": Scenario(scarcity.disk_full, scarcity.no_mounts),
    "descriptors": Scenario(scarcity.descriptors_out),
    "clock-jump": Scenario(scarcity.clock_jump),
    "duplicate-ids": Scenario(sessions.duplicate_ids),
    "supabase-away": Scenario(hosted.supabase_away, hosted.no_supabase),
    "upload-kill": Scenario(uploads.upload_kill),
    "cleanup-kill": Scenario(uploads.cleanup_kill),
    "token-change": Scenario(sessions.token_change),
    "http-cut": Scenario(http_streams.http_cut),
    "http-kill": Scenario(http_streams.http_kill),
    "http-leave": Scenario(http_streams.http_leave, share=0.5),
    "team-kill": Scenario(strikes.team_kill, members.unable),
    "team-freeze": Scenario(strikes.team_freeze, members.unable, long=True),
    "team-cut": Scenario(strikes.team_cut, members.unable, long=True),
    "team-restart": Scenario(strikes.team_restart, members.unable, long=True),
    "team-away": Scenario(strikes.team_away, members.unable, long=True),
    "team-moved": Scenario(moving.team_moved, members.unable),
    "team-rolling": Scenario(moving.team_rolling, members.unable, long=True),
    "team-begins": Scenario(moving.team_begins, members.unable, long=True),
    "terminal-kill": Scenario(terminals.terminal_kill),
    "terminal-drop": Scenario(terminals.terminal_drop),
    "terminal-slow": Scenario(terminals.terminal_slow, share=0.1),
    "terminal-orphans": Scenario(terminals.terminal_orphans, share=0.2),
}
