"""When a client is answered at the latest."""

import math
import re
from itertools import permutations

import pytest

from exai_trio.mcp.calls.client_timeouts import KNOWN, budget_of, waits_s


@pytest.mark.parametrize("known", [one for one in KNOWN if one.waits_s < math.inf])
@pytest.mark.parametrize("suffix", ["", "-mcp-client", " 2.1"])
def test_known_clients_are_answered_before_they_give_up(known, suffix):
    """Daemon's limit < ours < the client's, by a margin; a token does not matter."""
    for hears in (True, False):
        budget = budget_of(known.name.title() + suffix, hears_progress=hears)

        assert budget.handle_s + 2 <= budget.answer_s <= known.waits_s - 2


@pytest.mark.parametrize(
    ("client", "seconds"),
    [("codex-mcp-client", 300), ("Roo Code", 60), ("Cline", 60), ("Zed", 60), ("kimi-code", 60)],
)
def test_what_was_tried_is_in_the_table(client, seconds):
    """Codex waits for 300 s now; clients on the TypeScript SDK's default for 60."""
    assert seconds == waits_s(client, hears_progress=True)


def test_every_row_says_where_it_is_from():
    """A source, and the month in which it was true; no name hides another."""
    names = [known.name for known in KNOWN]

    assert all(known.source and re.fullmatch(r"20\d\d-[01]\d", known.seen) for known in KNOWN)
    assert [] == [a for a, b in permutations(names, 2) if a.startswith(b)]
    assert names == [name.casefold() for name in names]


@pytest.mark.parametrize("client", ["", "somebody", "opencode"])
def test_an_unknown_client_gets_a_handle_before_50_s(client):
    """Unless it hears progress, which extends its limit: then the limit is the daemon's."""
    assert budget_of(client, hears_progress=False).handle_s < 50
    assert budget_of(client, hears_progress=True).handle_s is None


@pytest.mark.parametrize("hears", [True, False])
def test_patient_clients_leave_the_limit_to_the_daemon(hears):
    """A client that waits for hours asks for no handle."""
    assert budget_of("claude-code", hears_progress=hears).handle_s is None


@pytest.mark.parametrize("seconds", [1.0, 5.0, 30.0, 45.0, 600.0, 7200.0])
@pytest.mark.parametrize("client", ["codex", "claude-code", "somebody"])
def test_what_the_user_says_counts(client, seconds):
    """EXAI_CLIENT_TIMEOUT_S goes before every name."""
    budget = budget_of(client, told_s=seconds)

    assert 0 < seconds / 2 <= budget.handle_s < budget.answer_s < seconds
