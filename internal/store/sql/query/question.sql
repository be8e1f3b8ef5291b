-- name: PutQuestion :exec
INSERT INTO question (id, tenant, site, ask, reply, until_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: SystemQuestions :many
SELECT * FROM question WHERE until_at > sqlc.arg(now) ORDER BY id LIMIT sqlc.arg(most);

-- name: SystemReplyTo :execrows
UPDATE question SET reply = $2 WHERE id = $1 AND reply = '';

-- name: SystemDropQuestion :exec
DELETE FROM question WHERE id = $1;

-- name: SystemDropQuestions :exec
DELETE FROM question WHERE until_at <= sqlc.arg(now);
