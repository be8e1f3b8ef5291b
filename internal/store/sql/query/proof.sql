-- name: InsertProof :exec
INSERT INTO proof (plan, at, digest, items, given, carbon, bound, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: DropProofs :execrows
DELETE FROM proof WHERE plan NOT IN (SELECT p.plan FROM proof p ORDER BY p.at DESC, p.plan DESC LIMIT sqlc.arg(keep));

-- name: Proof :one
SELECT * FROM proof WHERE plan = $1;

-- name: Proofs :many
SELECT plan, at, digest, items, given, carbon, bound FROM proof ORDER BY at DESC, plan DESC LIMIT sqlc.arg(most);
