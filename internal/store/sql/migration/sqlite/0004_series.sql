-- What was stored as series moves to signal, body and all: a body that begins
-- with a brace is JSON, and is read as such for as long as it is kept.
INSERT INTO signal (ref, kind, zone, provider, basis, start_at, end_at, issued, revision, idx, body)
SELECT series.ref, series.kind, series.zone, series.body ->> '$.provider',
	(series.body ->> '$.basis.signal') || '/' || (series.body ->> '$.basis.scope'),
	series.start_at, series.end_at, series.issued, series.body ->> '$.revision', record.idx, CAST(series.body AS blob)
FROM series LEFT JOIN (SELECT object, min(idx) AS idx FROM leaf WHERE kind = 'signal.stored' GROUP BY object) AS record
	ON record.object = 'signal:' || series.ref;
INSERT INTO signal_newest (zone, provider, basis, issued, revision, end_at, ref)
SELECT latest.zone, latest.provider, latest.basis, latest.issued, latest.revision, series.end_at, latest.ref
FROM latest JOIN series ON series.ref = latest.ref;
