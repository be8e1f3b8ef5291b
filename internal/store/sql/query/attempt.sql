-- name: InsertAttempt :exec
INSERT INTO attempt (workload, n, tenant, site, grant_id, epoch, state, rev, expires, started, ended, exit_code, cause, changed, active, run_since, suspensions, seen, size)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);

-- name: Attempt :one
SELECT * FROM attempt WHERE tenant = $1 AND workload = $2 AND n = $3;

-- name: Attempts :many
SELECT * FROM attempt WHERE tenant = $1 AND workload = $2 ORDER BY n;

-- name: SystemLiveAttempts :many
SELECT * FROM attempt
WHERE state IN ('offered', 'held', 'starting', 'running', 'suspended')
ORDER BY workload;

-- name: SystemLiveAttemptsAtSite :many
SELECT * FROM attempt
WHERE site = $1 AND state IN ('offered', 'held', 'starting', 'running', 'suspended')
ORDER BY workload;

-- name: SystemLostAttempts :many
SELECT attempt.* FROM attempt JOIN workload ON workload.id = attempt.workload
WHERE attempt.state = 'lost' AND workload.state NOT IN ('succeeded', 'failed', 'cancelled', 'expired')
ORDER BY attempt.workload, attempt.n;

-- name: SystemLostAttemptsAtSite :many
SELECT attempt.* FROM attempt JOIN workload ON workload.id = attempt.workload
WHERE attempt.site = $1 AND attempt.state = 'lost' AND workload.state NOT IN ('succeeded', 'failed', 'cancelled', 'expired')
ORDER BY attempt.workload, attempt.n;

-- name: MoveAttempt :execrows
UPDATE attempt
SET state = sqlc.arg(new_state), rev = sqlc.arg(new_rev), changed = sqlc.arg(new_changed),
	expires = sqlc.arg(expires), started = sqlc.arg(started), ended = sqlc.arg(ended), exit_code = sqlc.arg(exit_code), cause = sqlc.arg(cause),
	active = sqlc.arg(active), run_since = sqlc.arg(run_since), suspensions = sqlc.arg(suspensions), seen = sqlc.arg(seen), size = sqlc.arg(size)
WHERE tenant = $1 AND workload = $2 AND n = $3 AND state = $4 AND rev = $5;

-- name: ProgressAttempt :execrows
UPDATE attempt
SET active = sqlc.arg(active), run_since = sqlc.arg(run_since), suspensions = sqlc.arg(suspensions), seen = sqlc.arg(seen), size = sqlc.arg(size)
WHERE tenant = $1 AND workload = $2 AND n = $3 AND rev = $4;

-- name: AttemptsBetween :many
SELECT * FROM attempt
WHERE tenant = $1 AND workload >= sqlc.arg(first) AND workload <= sqlc.arg(last)
ORDER BY workload, n LIMIT sqlc.arg(most);
