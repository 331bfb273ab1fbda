-- What fails, by tool, category and code, and how large a share of the tool's calls that is.
WITH per_tool AS (
    SELECT tool, count(*) AS calls FROM calls WHERE started_at >= :since GROUP BY tool
)
SELECT
    calls.tool AS tool,
    calls.category AS category,
    calls.code AS code,
    count(*) AS failures,
    count(*) * 1.0 / max(per_tool.calls) AS share
FROM calls
JOIN per_tool ON per_tool.tool = calls.tool
WHERE calls.started_at >= :since AND calls.code <> ''
GROUP BY calls.tool, calls.category, calls.code
ORDER BY failures DESC, tool, category, code
