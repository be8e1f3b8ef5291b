-- name: InsertWorkload :exec
INSERT INTO workload (id, tenant, state, rev, shape, sealed, enclave, created, changed, wanted, baseline, missed_at, missed_cause, cause)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- name: Workload :one
SELECT * FROM workload WHERE tenant = $1 AND id = $2;

-- name: SystemWorkload :one
SELECT * FROM workload WHERE id = $1;

-- name: Workloads :many
SELECT * FROM workload
WHERE tenant = $1 AND (created, id) > (CAST(sqlc.arg(after_created) AS bigint), CAST(sqlc.arg(after_id) AS text))
ORDER BY created, id LIMIT sqlc.arg(most);

-- name: WorkloadsNewest :many
SELECT * FROM workload
WHERE tenant = $1 AND (created, id) < (CAST(sqlc.arg(after_created) AS bigint), CAST(sqlc.arg(after_id) AS text))
ORDER BY created DESC, id DESC LIMIT sqlc.arg(most);

-- name: WorkloadsInState :many
SELECT * FROM workload
WHERE tenant = $1 AND state = $2 AND (created, id) > (CAST(sqlc.arg(after_created) AS bigint), CAST(sqlc.arg(after_id) AS text))
ORDER BY created, id LIMIT sqlc.arg(most);

-- name: WorkloadsInStateNewest :many
SELECT * FROM workload
WHERE tenant = $1 AND state = $2 AND (created, id) < (CAST(sqlc.arg(after_created) AS bigint), CAST(sqlc.arg(after_id) AS text))
ORDER BY created DESC, id DESC LIMIT sqlc.arg(most);

-- name: PutMember :exec
INSERT INTO member (tenant, grp, workload) VALUES ($1, $2, $3);

-- name: WorkloadsOfGroup :many
SELECT workload.* FROM member JOIN workload ON workload.id = member.workload AND workload.tenant = member.tenant
WHERE member.tenant = $1 AND workload.tenant = $1 AND member.grp = $2
ORDER BY member.workload LIMIT sqlc.arg(most);

-- name: CountWorkloads :many
SELECT state, count(*) AS n, count(missed_at) AS late FROM workload WHERE tenant = $1 GROUP BY state ORDER BY state;

-- name: SystemOpenWorkloads :many
SELECT * FROM workload
WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'expired')
ORDER BY created, id;

-- name: SystemStates :many
SELECT 'workload' AS object, id, state, rev FROM workload
UNION ALL
SELECT 'attempt' AS object, workload || '/' || CAST(n AS text) AS id, state, rev FROM attempt
ORDER BY 1, 2;

-- name: UpdateWorkload :execrows
UPDATE workload
SET state = sqlc.arg(new_state), rev = sqlc.arg(new_rev), changed = sqlc.arg(new_changed),
	wanted = sqlc.arg(wanted), missed_at = sqlc.arg(missed_at), missed_cause = sqlc.arg(missed_cause), cause = sqlc.arg(cause)
WHERE tenant = $1 AND id = $2 AND state = $3 AND rev = $4 AND changed = $5;

-- name: PutIdempotency :exec
INSERT INTO idempotency (tenant, key, body_hash, workload, at) VALUES ($1, $2, $3, $4, $5);

-- name: Idempotency :one
SELECT * FROM idempotency WHERE tenant = $1 AND key = $2;

-- name: SystemPruneIdempotency :execrows
DELETE FROM idempotency WHERE at < $1;
