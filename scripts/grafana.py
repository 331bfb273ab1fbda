"""The Grafana dashboard over /metrics, as JSON: a panel for each thing that is looked at, out of one table."""

import json

_RATE = "[$__rate_interval]"
# title, unit, and each expression with its legend
PANELS = (
    ("Calls by outcome", "cps", [(f"sum by (outcome) (rate(exai_calls_total{_RATE}))", "{{outcome}}")]),
    ("Calls running, and accepted", "short", [("exai_calls_running", "running"), (f"rate(exai_calls_accepted_total{_RATE})", "accepted a second")]),
    ("Time of calls", "s", [(f"histogram_quantile({share}, sum by (le) (rate(exai_call_duration_seconds_bucket{_RATE})))", f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)]),
    ("Waits of calls, p95", "s", [(f"histogram_quantile(0.95, sum by (le, for) (rate(exai_call_wait_seconds_bucket{_RATE})))", "{{for}}")]),
    ("Errors by category", "cps", [(f"sum by (category) (rate(exai_errors_total{_RATE}))", "{{category}}"), (f"sum by (reason) (rate(exai_calls_refused_total{_RATE}))", "refused {{reason}}")]),
    ("Permits in use and waited for", "short", [("exai_permits_in_use", "{{limit}}"), ("exai_permits_waiting", "{{limit}} waiting")]),
    ("Requests at providers", "cps", [(f"sum by (provider, outcome) (rate(exai_provider_requests_total{_RATE}))", "{{provider}} {{outcome}}")]),
    ("First piece of an answer, p95", "s", [(f"histogram_quantile(0.95, sum by (le, model) (rate(exai_provider_first_chunk_seconds_bucket{_RATE})))", "{{model}}")]),
    ("Tokens an hour", "short", [("sum by (model, type) (increase(exai_tokens_total[1h]))", "{{model}} {{type}}")]),
    ("Cost a day", "short", [("sum by (model, currency) (increase(exai_cost_total[1d]))", "{{model}} {{currency}}")]),
    ("Breakers that are not closed", "short", [('exai_breaker_state{state!="closed"} == 1', "{{breaker}} {{state}}")]),
    ("Sessions and connections", "short", [("exai_sessions", "sessions"), ("exai_connections_open", "connections")]),
    ("Connections and resumes", "cps", [(f"sum by (result) (rate(exai_connections_total{_RATE}))", "{{result}}"), (f"rate(exai_resumes_total{_RATE})", "resumed")]),
    ("Journal", "s", [(f"histogram_quantile(0.95, sum by (le) (rate(exai_journal_commit_seconds_bucket{_RATE})))", "commit p95")]),
    ("Jobs that failed", "cps", [(f'sum by (job, result) (rate(exai_job_runs_total{{result!="ok"}}{_RATE}))', "{{job}} {{result}}")]),
    ("Memory", "bytes", [("process_resident_memory_bytes", "resident")]),
    ("Event loop", "s", [(f"histogram_quantile(0.99, sum by (le) (rate(exai_loop_step_seconds_bucket{_RATE})))", "step p99")]),
    ("Alerts, incidents, dropped events", "short", [("exai_alerts_firing == 1", "{{alert}}"), ("exai_incidents_open", "open incidents"), ("sum by (sink) (exai_events_dropped_total)", "dropped {{sink}}")]),
)  # fmt: skip
_WIDE, _HIGH, _COLUMNS = 8, 8, 3


def dashboard():
    panels = [_panel(number, *panel) for number, panel in enumerate(PANELS)]
    board = {
        "title": "EXAI",
        "uid": "exai",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }
    return json.dumps(board, indent=1) + "\n"


def _panel(number, title, unit, targets):
    source = {"type": "prometheus", "uid": "${source}"}
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": column * _WIDE, "y": row * _HIGH, "w": _WIDE, "h": _HIGH},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "expr": expression,
                "legendFormat": legend,
                "datasource": source,
            }
            for place, (expression, legend) in enumerate(targets)
        ],
    }
