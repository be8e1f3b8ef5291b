-- What a plan was decided on, kept for a while so that whoever doubts it can
-- check it again. A proof belongs to no tenant: it is of all that was planned
-- together, and only the house reads it. The log has its digest for good.

-- +goose Up

CREATE TABLE proof (
	plan   text   NOT NULL PRIMARY KEY,
	at     bigint NOT NULL,
	digest text   NOT NULL,
	items  bigint NOT NULL, -- that its certificate is of
	given  bigint NOT NULL,
	carbon bigint NOT NULL, -- milligrams
	bound  bigint NOT NULL,
	owner  text   NOT NULL, -- the one tenant whose all items are; '' if they are of several
	body   bytea  NOT NULL  -- JSON, compressed
);
CREATE INDEX proof_by_time ON proof (at);
