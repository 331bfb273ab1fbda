-- What was spent, by project and currency; calls that asked a model whose price is not known are counted beside it.
SELECT
    project,
    currency,
    count(*) AS calls,
    sum(input_tokens) AS input_tokens,
    sum(cached_tokens) AS cached_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost) AS cost,
    sum(CASE WHEN cost IS NULL THEN 1 ELSE 0 END) AS unpriced
FROM calls
WHERE started_at >= :since AND model <> ''
GROUP BY project, currency
ORDER BY project, currency
