-- name: PutSite :exec
INSERT INTO site (id, zone, capacity, pue, price, currency, down, engine, enclave_key, key_id, registered, seen, incarnation, answered)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id) DO UPDATE SET zone = excluded.zone, capacity = excluded.capacity, pue = excluded.pue, price = excluded.price,
	currency = excluded.currency, down = excluded.down, engine = excluded.engine, enclave_key = excluded.enclave_key,
	key_id = excluded.key_id, registered = excluded.registered, seen = excluded.seen, incarnation = excluded.incarnation,
	answered = excluded.answered;

-- name: SeeSite :execrows
UPDATE site SET seen = $2, answered = $3 WHERE id = $1;

-- name: Site :one
SELECT * FROM site WHERE id = $1;

-- name: Sites :many
SELECT * FROM site ORDER BY id;
