-- name: Lead :one
INSERT INTO lease (name, holder, epoch, at) VALUES ($1, $2, 1, $3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = lease.epoch + 1, at = excluded.at
RETURNING epoch;

-- name: Lease :one
SELECT * FROM lease WHERE name = $1;

-- name: RenewLease :execrows
UPDATE lease SET at = $3 WHERE name = $1 AND epoch = $2;

-- name: Meta :one
SELECT value FROM meta WHERE key = $1;

-- name: SetMeta :exec
INSERT INTO meta (key, value) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
