"""The settings of what looks at how the daemon does: alerts, incidents, the auditor."""

from typing import Final

from exai_trio.settings import values as v
from exai_trio.settings.setting import group, secret, setting

WATCHING: Final = group(
    "Alerts, incidents, auditor",
    setting("EXAI_ALERTS_FILE", v.path(), "TOML that changes the bounds of alerts"),
    secret(
        "EXAI_ALERT_WEBHOOK",
        v.visible("a URL"),
        "is told (JSON, POST) when an alert fires and when it is over",
    ),
    setting("INCIDENTS_PORT", v.whole(0, 65535), "HTTP for incidents; 0: off"),
    setting(
        "EXAI_INVESTIGATE",
        v.switch(),
        "have a model explain new incidents: it is sent their traces, and may cost money",
    ),
    setting(
        "EXAI_INVESTIGATOR_MODEL",
        v.line("a model's name"),
        "who is asked; any model that is offered, also a local one",
    ),
    setting("EXAI_INVESTIGATOR_TOKENS_DAY", v.whole(0, 10**9), "tokens of investigations a day"),
    setting(
        "AUDITOR_ENABLED",
        v.switch(),
        "have a model look at the daemon's figures, at most 12 times a day: it is sent aggregates, no texts",
    ),
    setting("AUDITOR_MODEL", v.line("a model's name"), "who is asked; must be free of charge"),
    setting(
        "AUDITOR_TOKENS_DAY",
        v.whole(0, 10**9),
        "tokens of the auditor a day; with it the model may cost money; 0: it may not",
    ),
)
