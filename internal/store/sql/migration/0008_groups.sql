-- Which workloads were submitted together. A group belongs to the tenant of its
-- members and is read through that tenant alone. Nothing in it is encrypted:
-- it holds the ids that we have given, and none of the owner's own names.

-- +goose Up

CREATE TABLE member (
	tenant   text NOT NULL CHECK (tenant <> ''),
	grp      text NOT NULL CHECK (grp <> ''),
	workload text NOT NULL,
	PRIMARY KEY (tenant, grp, workload),
	FOREIGN KEY (workload, tenant) REFERENCES workload (id, tenant)
);
