-- name: InsertSignal :exec
INSERT INTO signal (ref, kind, zone, provider, basis, start_at, end_at, issued, revision, idx, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: Signal :one
SELECT * FROM signal WHERE ref = $1;

-- name: SignalHead :one
SELECT kind, zone, provider, basis, issued, revision FROM signal WHERE ref = $1;

-- name: SignalsSince :many
SELECT * FROM signal WHERE zone = $1 AND kind = $2 AND end_at > sqlc.arg(since) ORDER BY start_at, issued, ref;

-- name: SignalsIssuedSince :many
SELECT * FROM signal WHERE zone = $1 AND kind = $2 AND issued >= sqlc.arg(since) ORDER BY issued, revision, ref;

-- name: SignalIssuedBy :one
SELECT * FROM signal WHERE zone = $1 AND kind = $2 AND basis = $3 AND issued <= sqlc.arg(at) ORDER BY issued DESC, revision DESC, ref LIMIT 1;

-- name: SignalsWithin :many
SELECT ref FROM signal WHERE zone = $1 AND kind = $2 AND provider = $3 AND basis = $4
	AND issued <= sqlc.arg(issued) AND start_at >= sqlc.arg(first) AND end_at <= sqlc.arg(last) ORDER BY ref;

-- What is issued later than now was issued by a clock that was ahead.
-- name: PutNewest :exec
INSERT INTO signal_newest (zone, provider, basis, issued, revision, end_at, ref) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (zone, provider, basis) DO UPDATE SET issued = excluded.issued, revision = excluded.revision, end_at = excluded.end_at, ref = excluded.ref
WHERE (excluded.issued, excluded.revision) >= (signal_newest.issued, signal_newest.revision)
	OR signal_newest.issued > sqlc.arg(now);

-- name: NewestRefs :many
SELECT ref FROM signal_newest ORDER BY zone, provider, basis;

-- name: NewestSignals :many
SELECT signal.* FROM signal_newest JOIN signal ON signal.ref = signal_newest.ref
ORDER BY signal_newest.zone, signal_newest.provider, signal_newest.basis;

-- name: UseSeries :exec
INSERT INTO series_use (ref, idx) VALUES ($1, $2) ON CONFLICT (ref, idx) DO NOTHING;

-- name: DropSignal :exec
DELETE FROM signal WHERE signal.ref = $1
	AND NOT EXISTS (SELECT 1 FROM series_use WHERE series_use.ref = signal.ref);

-- name: PruneNewest :exec
DELETE FROM signal_newest WHERE end_at < sqlc.arg(before);

-- name: PruneSignals :execrows
DELETE FROM signal WHERE kind = $1 AND end_at < sqlc.arg(before)
	AND NOT EXISTS (SELECT 1 FROM series_use WHERE series_use.ref = signal.ref);
