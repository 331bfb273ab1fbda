"""What somebody can do who waits for a daemon that is not there. Pure: no I/O; nothing is tried here."""

import trio

from exai_trio.config import Config, is_loopback
from exai_trio.transport.websocket import NotListening, PeerGone, Unreachable


def remedy(fault: Exception | None, config: Config, *, starts: bool, ours: bool = True) -> str:
    """For the reason that a connection ended with. `starts`: the shim starts a daemon where none is; `ours`: the last one was of this home;
    "" if waiting will do."""
    if not is_loopback(config.client_host):
        return f"see that the daemon runs on {config.client_host} (`exai status` there)"
    match fault:
        case NotListening():
            return _to_start(starts=starts, ours=ours)
        case Unreachable():
            return _no_daemon(config)
        case PeerGone() | trio.TooSlowError():
            return "`exai doctor` says what answers there"
        case _:
            return ""


def _to_start(*, starts: bool, ours: bool) -> str:
    if starts:
        return "it is being started; if it does not come, `exai serve` says why"
    if not ours:
        return (
            "the last one there had another home: start it where that is, a container for instance"
        )
    return "start it with `exai serve`, or set EXAI_WS_AUTOSTART=true in the editor's settings"


def _no_daemon(config: Config) -> str:
    return (
        f"what has port {config.ws_port} is no EXAI daemon (`exai doctor` says more): stop it, or choose another EXAI_WS_PORT"
        " for daemon and shim"
    )


def ended(said: str) -> str:
    """Of a daemon that was started and ended by itself; `said` are its last words."""
    return (
        f"the daemon was started, and ended: {said} Mend that; `exai serve` shows whether it starts"
    )
