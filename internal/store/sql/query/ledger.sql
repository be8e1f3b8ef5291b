-- name: InsertLedgerEntry :exec
INSERT INTO ledger_entry (idx, tenant, workload, attempt, hour) VALUES ($1, $2, $3, $4, $5);

-- name: LedgerEntries :many
SELECT leaf.idx, leaf.sealed FROM ledger_entry JOIN leaf ON leaf.idx = ledger_entry.idx
WHERE ledger_entry.tenant = $1 AND leaf.tenant = $1 AND ledger_entry.idx > $2
ORDER BY ledger_entry.idx LIMIT sqlc.arg(most);

-- name: WorkloadLedgerEntries :many
SELECT leaf.idx, leaf.sealed FROM ledger_entry JOIN leaf ON leaf.idx = ledger_entry.idx
WHERE ledger_entry.tenant = $1 AND leaf.tenant = $1 AND ledger_entry.workload = $2 AND ledger_entry.idx > $3
ORDER BY ledger_entry.idx LIMIT sqlc.arg(most);

-- name: SystemLedgerEntry :one
SELECT * FROM ledger_entry WHERE idx = $1;

-- name: PutMeter :execrows
INSERT INTO meter (workload, attempt, hour, tenant, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workload, attempt, hour) DO UPDATE SET body = excluded.body
WHERE meter.settled IS NULL AND meter.tenant = excluded.tenant;

-- name: Meter :one
SELECT * FROM meter WHERE tenant = $1 AND workload = $2 AND attempt = $3 AND hour = $4;

-- name: Meters :many
SELECT * FROM meter WHERE tenant = $1 AND workload = $2 ORDER BY attempt, hour;

-- name: SystemUnsettledMeters :many
SELECT * FROM meter WHERE settled IS NULL ORDER BY hour, workload, attempt;

-- name: SystemSettleMeter :execrows
UPDATE meter SET settled = sqlc.arg(idx)
WHERE workload = $1 AND attempt = $2 AND hour = $3 AND settled IS NULL;

-- The tenant is compared inside an expression: its indexes would be the wrong
-- ones, and are what SQLite takes where it can.
-- name: LedgerEntriesBetween :many
SELECT ledger_entry.workload, leaf.idx, leaf.sealed FROM ledger_entry JOIN leaf ON leaf.idx = ledger_entry.idx
WHERE (ledger_entry.tenant = $1) = TRUE AND (leaf.tenant = $1) = TRUE AND ledger_entry.workload >= sqlc.arg(first) AND ledger_entry.workload <= sqlc.arg(last)
ORDER BY ledger_entry.workload, ledger_entry.idx LIMIT sqlc.arg(most);

-- name: MetersBetween :many
SELECT * FROM meter
WHERE tenant = $1 AND workload >= sqlc.arg(first) AND workload <= sqlc.arg(last)
ORDER BY workload, attempt, hour LIMIT sqlc.arg(most);
