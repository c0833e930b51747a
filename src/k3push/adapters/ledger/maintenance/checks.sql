-- What must hold in every ledger. Each query counts what does not, and names the first.

-- name: tallies
SELECT count(*), min(runs.id)
FROM (
    SELECT run, state
    FROM (
        SELECT run, state, n FROM tallies
        UNION ALL SELECT run, state, -count(*) FROM rows GROUP BY run, state
    ) AS both_sides
    GROUP BY run, state HAVING sum(n) <> 0
) AS wrong
JOIN runs ON runs.key = wrong.run;

-- name: attempts
SELECT count(*), min(rows.number)
FROM rows
WHERE state IN ('sent', 'unknown') AND NOT EXISTS (
    SELECT 1 FROM attempts WHERE attempts.id = rows.attempt AND attempts.run = rows.run
);

-- name: claims
SELECT count(*), min(claims.bill)
FROM claims
LEFT JOIN rows ON rows.bill = claims.bill AND rows.run = claims.run
WHERE rows.state IS NULL OR rows.state NOT IN ('planned', 'sent', 'unknown');

-- name: unclaimed
SELECT count(*), min(rows.number)
FROM rows JOIN runs ON runs.key = rows.run
WHERE rows.state IN ('sent', 'unknown') AND NOT EXISTS (
    SELECT 1 FROM claims JOIN rows AS held ON held.bill = claims.bill AND held.run = claims.run
    WHERE claims.scope = runs.scope AND claims.bill = rows.bill
        AND held.state IN ('sent', 'unknown')
);
