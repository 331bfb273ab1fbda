"""What the simulated model answers to the questions that the daemon asks by itself: sound in form, and no more than that. Pure: no trio, no clock, no I/O."""

import json
from typing import Any

from ..json_fields import an_object


def scripted_answer(asked: str) -> str | None:
    """The answer to a question about an incident or about figures; None for any other."""
    try:
        told = an_object(json.loads(asked)) if asked.startswith('{"task": ') else {}
    except ValueError:
        told = {}
    match told.get("task"):
        case "explain_incident":
            return json.dumps(_explanation(an_object(told.get("evidence"))))
        case "audit_figures":
            return json.dumps(_observations(an_object(told.get("figures"))))
        case _:
            return None


def _explanation(evidence: dict[str, Any]) -> dict[str, Any]:
    return {
        "root_cause": "[simulated] No model was asked; the fault is where the trace ends.",
        "confidence": 0.1,
        "evidence": list(evidence)[:2],
        "fix": {"summary": "[simulated] none", "steps": ["read the trace"], "complexity": "low"},
    }


def _observations(figures: dict[str, Any]) -> dict[str, Any]:
    name, value = next(iter(figures.items()), ("", None))
    observation = {
        "severity": "info",
        "category": "general",
        "text": f"[simulated] {name} is {value}; no model was asked.",
        "figures": [name],
    }
    return {"observations": [observation]}
