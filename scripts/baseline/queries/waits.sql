-- What calls wait for, by model and tool: mean milliseconds for a permit of the daemon, for one of the provider, with the provider, and ours.
SELECT
    model,
    tool,
    count(*) AS calls,
    avg(permit_wait_ms) AS permit_ms,
    avg(provider_wait_ms) AS provider_permit_ms,
    avg(with_provider_ms) AS with_provider_ms,
    avg(duration_ms - permit_wait_ms - provider_wait_ms - with_provider_ms) AS own_ms
FROM calls
WHERE started_at >= :since
GROUP BY model, tool
ORDER BY calls DESC, model, tool
