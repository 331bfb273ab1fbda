-- Where the time of each hour went, in seconds, and what took most of it.
WITH spans AS (
    SELECT
        hour,
        count(*) AS calls,
        sum(permit_wait_ms) / 1000 AS permit_s,
        sum(provider_wait_ms) / 1000 AS provider_permit_s,
        sum(with_provider_ms) / 1000 AS with_provider_s,
        sum(duration_ms - permit_wait_ms - provider_wait_ms - with_provider_ms) / 1000 AS own_s
    FROM calls
    WHERE started_at >= :since
    GROUP BY hour
)
SELECT
    hour,
    calls,
    permit_s,
    provider_permit_s,
    with_provider_s,
    own_s,
    CASE
        WHEN permit_s >= provider_permit_s AND permit_s >= with_provider_s AND permit_s >= own_s THEN 'permits of the daemon'
        WHEN provider_permit_s >= with_provider_s AND provider_permit_s >= own_s THEN 'permits of the provider'
        WHEN with_provider_s >= own_s THEN 'the provider'
        ELSE 'the daemon'
    END AS bottleneck
FROM spans
ORDER BY hour
