-- How long answers take, by model and tool: percentiles of whole calls and of the first piece of text, in milliseconds.
WITH answered AS (
    SELECT
        model, tool, duration_ms, first_chunk_ms,
        row_number() OVER (PARTITION BY model, tool ORDER BY duration_ms) AS place,
        count(*) OVER (PARTITION BY model, tool) AS calls
    FROM calls
    WHERE started_at >= :since AND code = ''
)
SELECT
    model,
    tool,
    max(calls) AS calls,
    min(CASE WHEN place * 100 >= calls * 50 THEN duration_ms END) AS p50_ms,
    min(CASE WHEN place * 100 >= calls * 95 THEN duration_ms END) AS p95_ms,
    max(duration_ms) AS longest_ms,
    avg(first_chunk_ms) AS first_chunk_ms
FROM answered
GROUP BY model, tool
ORDER BY calls DESC, model, tool
