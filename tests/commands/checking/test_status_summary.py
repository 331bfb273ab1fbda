"""What `exai status` says in a dozen lines."""

import pytest

from exai_trio.commands.checking.status_summary import MOST_LINES, summary

URL = "ws://127.0.0.1:8079/"


def provider(name: str, **more) -> dict:
    return {"name": name, "configured": True, "simulated": False, "models": ["a", "b"], **more}


@pytest.mark.parametrize("providers", [0, 1, 3, 4, 5, 40])
@pytest.mark.parametrize("troubles", [0, 1, 2, 9])
def test_it_is_a_dozen_lines_at_most(providers, troubles):
    """However many providers and troubles there are; and each provider is named."""
    names = [f"p{number}" for number in range(providers)]
    facts = {
        "providers": [provider(name) for name in names],
        "troubles": [f"t{number}" for number in range(troubles)],
    }
    rows = summary(URL, facts)

    assert len(rows) <= MOST_LINES
    text = " ".join(f"{name} {said}" for name, said in rows).replace(",", " ").split()
    assert set(names) <= set(text)


def test_a_daemon_that_can_ask_nobody_says_so():
    """That is what one looks for when every question fails."""
    rows = dict(summary(URL, {"providers": [provider("glm", configured=False)]}))

    assert "no provider is configured" in rows["models"]


def test_what_is_wrong_is_said():
    """A full disk, an open breaker, a trouble."""
    facts = {
        "storage": {"disk_full": True},
        "providers": [provider("glm", breakers={"glm": "open"})],
        "troubles": ["storage: full"],
    }
    rows = dict(summary(URL, facts))

    assert "full" in rows["storage"]
    assert "glm open" in rows["glm"]
    assert "storage: full" == rows["trouble"]


def test_facts_of_another_shape_are_borne():
    """An older daemon may leave things out, or say them otherwise."""
    assert summary(URL, {"providers": None, "calls": [], "permits": "x", "troubles": {}})
