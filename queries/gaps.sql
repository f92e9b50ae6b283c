-- name: gaps
-- family: Completeness
-- question: In which hours has an account and region no events?
-- parameter: limit 1000
-- reason: The trail was off, log files are missing, or nothing happened.
-- source: none of the other tools has it
SELECT account_id, region, hour_before, hour_after, CAST(next_number - hour_number - 1 AS DECIMAL(18)) AS empty_hours
FROM (
    SELECT account_id, region, hour_text AS hour_before, hour_number,
        LEAD(hour_text) OVER (PARTITION BY account_id, region ORDER BY hour_text) AS hour_after,
        LEAD(hour_number) OVER (PARTITION BY account_id, region ORDER BY hour_text) AS next_number
    FROM (
        SELECT account_id, region, hour_text,
            24 * (365 * y + (y - y % 4) / 4 - (y - y % 100) / 100 + (y - y % 400) / 400
                + (153 * m + 2 - (153 * m + 2) % 5) / 5 + d) + h AS hour_number
        FROM (
            SELECT account_id, region, hour_text,
                CAST(SUBSTR(hour_text, 1, 4) AS DECIMAL(18)) -
                    CASE WHEN SUBSTR(hour_text, 6, 2) < '03' THEN 1 ELSE 0 END AS y,
                CAST(SUBSTR(hour_text, 6, 2) AS DECIMAL(18)) +
                    CASE WHEN SUBSTR(hour_text, 6, 2) < '03' THEN 9 ELSE -3 END AS m,
                CAST(SUBSTR(hour_text, 9, 2) AS DECIMAL(18)) AS d,
                CAST(SUBSTR(hour_text, 12, 2) AS DECIMAL(18)) AS h
            FROM (
                SELECT DISTINCT account_id, region, SUBSTR(CAST(event_time AS CHAR(19)), 1, 13) AS hour_text
                FROM events
                WHERE {filters}
                    AND event_time IS NOT NULL
            ) hours
        ) parts
    ) numbers
) neighbours
WHERE next_number - hour_number > 1
ORDER BY account_id IS NULL, account_id, region IS NULL, region, hour_before
LIMIT {limit}
