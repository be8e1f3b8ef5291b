-- Signals for a thousand zones: bodies are binary, there are four kinds, and
-- each row knows the record that brought it. They take the place of series and
-- latest, which stay as they are until a later version drops them. Signals
-- belong to no tenant: they say what a grid is like, and never for whom.

-- +goose Up

CREATE TABLE signal (
	ref      text   NOT NULL PRIMARY KEY,
	kind     text   NOT NULL CHECK (kind IN ('measured', 'forecast', 'issued', 'price')),
	zone     text   NOT NULL,
	provider text   NOT NULL,
	basis    text   NOT NULL, -- of prices: the currency
	start_at bigint NOT NULL,
	end_at   bigint NOT NULL,
	issued   bigint NOT NULL,
	revision bigint NOT NULL,
	idx      bigint REFERENCES leaf (idx), -- the record that brought it
	body     bytea  NOT NULL
);
CREATE INDEX signal_of_zone ON signal (zone, kind, issued);
CREATE INDEX signal_by_end ON signal (kind, end_at);

-- The newest forecast in use of each zone, provider and basis.
CREATE TABLE signal_newest (
	zone     text   NOT NULL,
	provider text   NOT NULL,
	basis    text   NOT NULL,
	issued   bigint NOT NULL,
	revision bigint NOT NULL,
	end_at   bigint NOT NULL,
	ref      text   NOT NULL REFERENCES signal (ref),
	PRIMARY KEY (zone, provider, basis)
);
CREATE INDEX signal_newest_by_ref ON signal_newest (ref);
