-- name: InsertDecision :exec
INSERT INTO decision (idx, tenant, workload, plan, at, body) VALUES ($1, $2, $3, $4, $5, $6);

-- name: PutPlacement :exec
INSERT INTO placement (workload, tenant, decision) VALUES ($1, $2, $3)
ON CONFLICT (workload) DO UPDATE SET decision = excluded.decision WHERE placement.tenant = excluded.tenant;

-- name: DeletePlacement :exec
DELETE FROM placement WHERE tenant = $1 AND workload = $2;

-- name: Placement :one
SELECT decision.body FROM placement JOIN decision ON decision.idx = placement.decision
WHERE placement.tenant = $1 AND decision.tenant = $1 AND placement.workload = $2;

-- name: SystemPlacements :many
SELECT decision.workload, decision.body FROM placement JOIN decision ON decision.idx = placement.decision
ORDER BY placement.workload;

-- name: Decisions :many
SELECT * FROM decision WHERE tenant = $1 AND workload = $2 ORDER BY idx;

-- name: PlanInForce :one
SELECT id, at FROM plan_in_force WHERE slot = 0;

-- name: SetPlan :execrows
UPDATE plan_in_force SET id = sqlc.arg(new_id), at = sqlc.arg(at) WHERE slot = 0 AND id = sqlc.arg(parent);

-- name: SystemDecisions :many
SELECT idx, body FROM decision WHERE idx >= $1 ORDER BY idx LIMIT sqlc.arg(most);

-- name: PlacementsBetween :many
SELECT decision.workload, decision.body FROM placement JOIN decision ON decision.idx = placement.decision
WHERE placement.tenant = $1 AND decision.tenant = $1 AND placement.workload >= sqlc.arg(first) AND placement.workload <= sqlc.arg(last)
ORDER BY placement.workload LIMIT sqlc.arg(most);

-- name: FirstDecision :one
SELECT body FROM decision WHERE tenant = $1 AND workload = $2 ORDER BY idx LIMIT 1;

-- name: LastDecision :one
SELECT body FROM decision WHERE tenant = $1 AND workload = $2 ORDER BY idx DESC LIMIT 1;
