-- Queues and budgets, as a tenant's admin has set them. Neither is sealed: a
-- queue's name leaves the enclave with every intent that says it, and shares
-- and limits are what the planner reckons with. No part of an intent is here.

-- +goose Up

CREATE TABLE queue (
	tenant  text   NOT NULL CHECK (tenant <> ''),
	name    text   NOT NULL,
	rev     bigint NOT NULL CHECK (rev >= 1),
	changed bigint NOT NULL,
	body    text   NOT NULL, -- JSON: priority, weight, shares
	PRIMARY KEY (tenant, name)
);

CREATE TABLE budget (
	tenant  text   NOT NULL CHECK (tenant <> ''),
	name    text   NOT NULL,
	rev     bigint NOT NULL CHECK (rev >= 1),
	changed bigint NOT NULL,
	body    text   NOT NULL, -- JSON: measure, limit, period, consequence, and of which periods something was told
	PRIMARY KEY (tenant, name)
);

-- What was spent in a period is read by its hours.
CREATE INDEX ledger_entry_by_hour ON ledger_entry (tenant, hour, idx);
