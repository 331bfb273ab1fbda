"""Tokens as the simulator has sent them, for tests that hold every reader of the figures against them."""

from collections import Counter

import pytest

from exai_trio.simulator.vendors import glm_shape, kimi_shape

# Arguments of consensus: one call that both vendors answer.
PANEL = {
    "step": "s", "step_number": 1, "total_steps": 1, "next_step_required": False, "findings": "f",
    "models": [{"model": "glm-4.6"}, {"model": "kimi-k2.6"}],
}  # fmt: skip


@pytest.fixture
def sent(monkeypatch):
    """By kind."""
    told = Counter()

    def noting(usage_of):
        def usage(answer):
            used = answer.usage
            told.update(input=used.prompt, output=used.completion, cached=used.cached)
            return usage_of(answer)

        return usage

    monkeypatch.setattr(glm_shape, "glm_usage", noting(glm_shape.glm_usage))
    monkeypatch.setattr(kimi_shape, "kimi_usage", noting(kimi_shape.kimi_usage))
    return told
