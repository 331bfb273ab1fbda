"""How these programs end when they are told to: like Ctrl-C, whatever the signal, so that no child or directory stays."""

import signal


def ends_cleanly() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
