-- name: PutQueue :exec
INSERT INTO queue (tenant, name, rev, changed, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, name) DO UPDATE SET rev = excluded.rev, changed = excluded.changed, body = excluded.body
WHERE queue.tenant = excluded.tenant;

-- name: Queue :one
SELECT * FROM queue WHERE tenant = $1 AND name = $2;

-- name: Queues :many
SELECT * FROM queue WHERE tenant = $1 ORDER BY name;

-- name: SystemQueues :many
SELECT * FROM queue ORDER BY tenant, name;

-- name: RemoveQueue :execrows
DELETE FROM queue WHERE tenant = $1 AND name = $2;

-- name: PutBudget :exec
INSERT INTO budget (tenant, name, rev, changed, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, name) DO UPDATE SET rev = excluded.rev, changed = excluded.changed, body = excluded.body
WHERE budget.tenant = excluded.tenant;

-- name: Budget :one
SELECT * FROM budget WHERE tenant = $1 AND name = $2;

-- name: Budgets :many
SELECT * FROM budget WHERE tenant = $1 ORDER BY name;

-- name: SystemBudgets :many
SELECT * FROM budget ORDER BY tenant, name;

-- name: RemoveBudget :execrows
DELETE FROM budget WHERE tenant = $1 AND name = $2;

-- name: LedgerEntriesFrom :many
SELECT leaf.idx, leaf.sealed FROM ledger_entry JOIN leaf ON leaf.idx = ledger_entry.idx
WHERE ledger_entry.tenant = $1 AND leaf.tenant = $1 AND ledger_entry.hour >= sqlc.arg(first) AND ledger_entry.idx > sqlc.arg(after)
ORDER BY ledger_entry.idx LIMIT sqlc.arg(most);
