"""`exai doctor` says what of alerts, incidents and the auditor is off, and how to switch it on."""

import pytest

from exai_trio.commands.checking.findings import Daemon, Seen
from exai_trio.commands.watching.watching_checks import watching
from exai_trio.settings.load import load


def look(tmp_path, **settings):
    loaded = load({}, {"EXAI_HOME": str(tmp_path)} | settings)
    return list(watching(Seen(loaded=loaded, daemon=Daemon(reached=False), port_taken=False)))


def test_what_is_off_says_how_it_is_switched_on(tmp_path):
    remedies = " ".join(found.remedy for found in look(tmp_path, MONITORING_PORT="0", INCIDENTS_PORT="0"))  # fmt: skip

    for variable in ("MONITORING_PORT=", "INCIDENTS_PORT=", "EXAI_ALERT_WEBHOOK=", "EXAI_INVESTIGATE=", "AUDITOR_ENABLED="):  # fmt: skip
        assert variable in remedies


def test_what_is_on_needs_no_remedy(tmp_path):
    found = look(
        tmp_path, EXAI_ALERT_WEBHOOK="https://hook/s3cret", EXAI_INVESTIGATE="true", AUDITOR_ENABLED="true"
    )  # fmt: skip

    assert [""] * 5 == [each.remedy for each in found]
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(("text", "state"), [("[disk]\nenabled = false", "ok"), ("[dsk]", "fault"), (None, "fault")])  # fmt: skip
def test_a_file_of_alerts_that_cannot_be_used_is_a_fault(tmp_path, text, state):
    path = tmp_path / "alerts.toml"
    if text is not None:
        path.write_text(text)

    assert state == look(tmp_path, EXAI_ALERTS_FILE=str(path))[0].state
