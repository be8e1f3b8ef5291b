-- name: InsertLeaf :exec
INSERT INTO leaf (idx, tenant, tenant_seq, kind, object, workload, leaf, sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: InsertTransition :exec
INSERT INTO transition (idx, tenant, object, id, rev, from_state, to_state)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: InsertLoghash :exec
INSERT INTO loghash (first, hashes) VALUES ($1, $2);

-- name: InsertCheckpoint :exec
INSERT INTO checkpoint (size, note) VALUES ($1, $2);

-- name: LastLeaf :one
SELECT idx, tenant_seq FROM leaf WHERE tenant = $1 ORDER BY idx DESC LIMIT 1;

-- name: Events :many
SELECT idx, tenant, sealed FROM leaf
WHERE tenant = $1 AND idx > $2 AND kind <> 'ledger.entry'
	AND substr(object, 1, length(CAST(sqlc.arg(prefix) AS text))) = CAST(sqlc.arg(prefix) AS text)
ORDER BY idx LIMIT sqlc.arg(most);

-- name: WorkloadEvents :many
SELECT idx, tenant, sealed FROM leaf
WHERE tenant = $1 AND workload = $2 AND workload <> '' AND idx > $3 AND kind <> 'ledger.entry'
	AND substr(object, 1, length(CAST(sqlc.arg(prefix) AS text))) = CAST(sqlc.arg(prefix) AS text)
ORDER BY idx LIMIT sqlc.arg(most);

-- name: SystemEvents :many
SELECT idx, tenant, sealed FROM leaf
WHERE idx > $1 AND kind <> 'ledger.entry'
	AND substr(object, 1, length(CAST(sqlc.arg(prefix) AS text))) = CAST(sqlc.arg(prefix) AS text)
ORDER BY idx LIMIT sqlc.arg(most);

-- name: SystemWorkloadEvents :many
SELECT idx, tenant, sealed FROM leaf
WHERE workload = $1 AND workload <> '' AND idx > $2 AND kind <> 'ledger.entry'
	AND substr(object, 1, length(CAST(sqlc.arg(prefix) AS text))) = CAST(sqlc.arg(prefix) AS text)
ORDER BY idx LIMIT sqlc.arg(most);

-- name: SystemLeaves :many
SELECT * FROM leaf WHERE idx >= $1 AND idx < sqlc.arg(before) ORDER BY idx;

-- name: SystemTransitions :many
SELECT * FROM transition WHERE idx >= $1 ORDER BY idx LIMIT sqlc.arg(most);

-- name: LastCheckpoint :one
SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1;

-- name: CheckpointOf :one
SELECT note FROM checkpoint WHERE size = $1;

-- name: Checkpoints :many
SELECT * FROM checkpoint WHERE size > $1 ORDER BY size LIMIT sqlc.arg(most);

-- name: Loghash :one
SELECT first, hashes FROM loghash WHERE first <= $1 ORDER BY first DESC LIMIT 1;

-- name: Legal :many
SELECT object, from_state, to_state FROM legal ORDER BY object, from_state, to_state;

-- name: InsertLegal :exec
INSERT INTO legal (object, from_state, to_state) VALUES ($1, $2, $3);

-- name: SystemChanges :many
SELECT idx, kind, object, workload, leaf FROM leaf WHERE idx >= $1 ORDER BY idx LIMIT sqlc.arg(most);

-- name: SystemLastChange :one
SELECT idx, kind, object, workload, leaf FROM leaf ORDER BY idx DESC LIMIT 1;
