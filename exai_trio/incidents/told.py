"""An incident as plain data, for commands and HTTP. Pure: no trio, no clock, no I/O."""

from typing import Any

from exai_trio.observability.times import rfc3339
from exai_trio.storage.watching.incident_records import Incident


def incident_in_short(incident: Incident) -> dict[str, Any]:
    """For a page that leads to it."""
    return {
        "id": incident.id,
        "error_type": incident.error_type,
        "error_message": incident.message,
        "resolved": incident.resolved,
    }


def incident_told(incident: Incident, *, whole: bool = False) -> dict[str, Any]:
    """Under the names of the table. What was seen around it, and what it was thought to be, only where `whole` is asked for."""
    told: dict[str, Any] = {
        "id": incident.id,
        "error_hash": incident.error_hash,
        "kind": incident.kind,
        "severity": incident.severity,
        "error_type": incident.error_type,
        "error_message": incident.message,
        "version": incident.version,
        "state": incident.state,
        "occurrence_count": incident.occurrence_count,
        "created_at": rfc3339(incident.created_at),
        "last_occurrence_at": rfc3339(incident.last_occurrence_at),
        "reopened": incident.reopened,
        "resolved": incident.resolved,
        "resolution_notes": incident.resolution_notes,
        "resolved_at": None if incident.resolved_at is None else rfc3339(incident.resolved_at),
        "resolved_by": incident.resolved_by,
        "resolved_in": incident.resolved_in,
        "requested": incident.requested,
        "attempts": incident.attempts,
    }
    if not whole:
        return told
    return told | {
        "error_context": incident.context,
        "investigation_result": incident.result,
        "fix_recommendation": incident.fix,
        "model_used": incident.model_used,
        "investigation_duration_ms": incident.duration_ms,
        "tokens": incident.tokens,
        "cost": incident.cost,
    }
