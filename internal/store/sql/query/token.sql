-- name: InsertToken :exec
INSERT INTO token (id, hash, tenant, holder, role, site, from_at, until_at, created)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: SystemToken :one
SELECT * FROM token WHERE hash = $1;

-- name: SystemTokens :many
SELECT * FROM token ORDER BY id;

-- name: EndToken :execrows
UPDATE token SET until_at = sqlc.arg(until) WHERE tenant = $1 AND id = $2 AND until_at > sqlc.arg(until);
