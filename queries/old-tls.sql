-- name: old-tls
-- family: Exposure and defence
-- question: Which calls used TLS 1.0 or 1.1?
-- parameter: limit 100
-- reason: AWS refuses these versions; such a client is old.
-- source: CloudTrail Lake, unsupported TLS versions
SELECT tls_version, event_source, source_ip, user_agent,
    COUNT(*) AS n, MAX(event_time) AS last_seen
FROM events
WHERE {filters}
    AND tls_version IN ('TLSv1', 'TLSv1.0', 'TLSv1.1')
GROUP BY tls_version, event_source, source_ip, user_agent
ORDER BY n DESC, tls_version IS NULL, tls_version, event_source IS NULL, event_source, source_ip IS NULL, source_ip, user_agent IS NULL, user_agent
LIMIT {limit}
