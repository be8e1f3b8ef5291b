-- name: InsertSeries :exec
INSERT INTO series (ref, kind, zone, start_at, end_at, issued, body) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: Series :one
SELECT * FROM series WHERE ref = $1;

-- name: SeriesOfZone :many
SELECT * FROM series WHERE zone = $1 AND kind = $2 AND end_at > sqlc.arg(since) ORDER BY start_at, issued, ref;

-- name: PutLatest :exec
INSERT INTO latest (zone, provider, basis, issued, revision, ref) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (zone, provider, basis) DO UPDATE SET issued = excluded.issued, revision = excluded.revision, ref = excluded.ref
WHERE (excluded.issued, excluded.revision) >= (latest.issued, latest.revision);

-- name: LatestSeries :many
SELECT series.* FROM latest JOIN series ON series.ref = latest.ref ORDER BY latest.zone, latest.provider, latest.basis;

-- name: UseSeries :exec
INSERT INTO series_use (ref, idx) VALUES ($1, $2) ON CONFLICT (ref, idx) DO NOTHING;

-- name: PruneLatest :exec
DELETE FROM latest WHERE ref IN (
	SELECT series.ref FROM series WHERE series.end_at < sqlc.arg(before)
		AND NOT EXISTS (SELECT 1 FROM series_use WHERE series_use.ref = series.ref));

-- name: PruneSeries :execrows
DELETE FROM series WHERE end_at < sqlc.arg(before)
	AND NOT EXISTS (SELECT 1 FROM series_use WHERE series_use.ref = series.ref);
