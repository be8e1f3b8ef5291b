-- name: PutClass :exec
INSERT INTO class (tenant, class, last, runs) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, class) DO UPDATE SET last = excluded.last, runs = excluded.runs
WHERE class.tenant = excluded.tenant;

-- name: Class :one
SELECT * FROM class WHERE tenant = $1 AND class = $2;

-- name: Classes :many
SELECT * FROM class WHERE tenant = $1 AND class > $2 ORDER BY class LIMIT sqlc.arg(most);

-- name: ClassesPast :many
SELECT class FROM class WHERE tenant = $1 ORDER BY last DESC, class DESC LIMIT sqlc.arg(most) OFFSET sqlc.arg(keep);

-- name: DropClass :exec
DELETE FROM class WHERE tenant = $1 AND class = $2;
