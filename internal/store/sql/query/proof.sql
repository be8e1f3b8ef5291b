-- name: InsertProof :exec
INSERT INTO proof (plan, at, digest, items, given, carbon, bound, owner, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: DropProofs :execrows
DELETE FROM proof WHERE plan NOT IN (SELECT p.plan FROM proof p ORDER BY p.at DESC, p.plan DESC LIMIT sqlc.arg(keep));

-- name: Proof :one
SELECT * FROM proof WHERE plan = $1;

-- name: Proofs :many
SELECT plan, at, digest, items, given, carbon, bound, owner FROM proof ORDER BY at DESC, plan DESC LIMIT sqlc.arg(most);
