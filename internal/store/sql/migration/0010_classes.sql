-- How long the work of a class took: its newest runs, one row for each class of
-- a tenant. All of it is made of what is on record of attempts already, so it is
-- no part of the record. In the clear: a class has the name that its owner chose
-- to disclose, and a run is a time, two lengths and a site, as attempts have
-- them in the clear too. It belongs to one tenant and to nobody else.

-- +goose Up

CREATE TABLE class (
	tenant text   NOT NULL CHECK (tenant <> ''),
	class  text   NOT NULL,
	last   bigint NOT NULL, -- when the newest run ended
	runs   text   NOT NULL, -- JSON, the newest last
	PRIMARY KEY (tenant, class)
);
CREATE INDEX class_by_last ON class (tenant, last, class);
