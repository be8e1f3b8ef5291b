-- Valid on SQLite and PostgreSQL alike: text, bigint, boolean, double precision
-- and bytea only; times are microseconds since 1970 UTC, NULL where there is
-- none. What differs between the two (triggers) is in a folder of its own.

-- +goose Up

-- The legal moves; filled when the store is opened, from workload.Legal.
CREATE TABLE legal (
	object     text NOT NULL,
	from_state text NOT NULL,
	to_state   text NOT NULL,
	PRIMARY KEY (object, from_state, to_state)
);

-- The log: one row for each leaf of the tree. sealed holds salt and body.
CREATE TABLE leaf (
	idx        bigint NOT NULL PRIMARY KEY,
	tenant     text   NOT NULL,
	tenant_seq bigint NOT NULL,
	kind       text   NOT NULL,
	object     text   NOT NULL,
	workload   text   NOT NULL, -- '' where it is about none
	leaf       bytea  NOT NULL,
	sealed     bytea  NOT NULL
);
CREATE INDEX leaf_of_tenant ON leaf (tenant, idx);
CREATE INDEX leaf_of_workload ON leaf (workload, idx) WHERE workload <> '';

-- The stored hashes of the tree, a run of them for each time it grew: 32 bytes
-- each, from the stored index first on.
CREATE TABLE loghash (
	first  bigint NOT NULL PRIMARY KEY,
	hashes bytea  NOT NULL
);

CREATE TABLE checkpoint (
	size bigint NOT NULL PRIMARY KEY,
	note text   NOT NULL
);

CREATE TABLE workload (
	id           text   NOT NULL PRIMARY KEY,
	tenant       text   NOT NULL CHECK (tenant <> ''),
	state        text   NOT NULL,
	rev          bigint NOT NULL CHECK (rev >= 1),
	shape        text   NOT NULL,
	sealed       bytea  NOT NULL,
	enclave      text   NOT NULL,
	created      bigint NOT NULL,
	changed      bigint NOT NULL,
	wanted       text   NOT NULL,
	baseline     text   NOT NULL,
	missed_at    bigint,
	missed_cause text   NOT NULL,
	cause        text   NOT NULL,
	UNIQUE (id, tenant)
);
CREATE INDEX workload_of_tenant ON workload (tenant, created, id);
CREATE INDEX workload_of_tenant_in_state ON workload (tenant, state, created, id);
CREATE INDEX workload_open ON workload (created, id)
	WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'expired');

CREATE TABLE attempt (
	workload    text   NOT NULL,
	n           bigint NOT NULL CHECK (n >= 1),
	tenant      text   NOT NULL,
	site        text   NOT NULL,
	grant_id    text   NOT NULL,
	epoch       bigint NOT NULL,
	state       text   NOT NULL,
	rev         bigint NOT NULL CHECK (rev >= 1),
	expires     bigint,
	started     bigint,
	ended       bigint,
	exit_code   bigint NOT NULL,
	cause       text   NOT NULL,
	changed     bigint NOT NULL,
	active      bigint NOT NULL, -- nanoseconds
	run_since   bigint,
	suspensions bigint NOT NULL,
	seen        bigint,
	PRIMARY KEY (workload, n),
	FOREIGN KEY (workload, tenant) REFERENCES workload (id, tenant)
);
-- The start right exists once.
CREATE UNIQUE INDEX attempt_live ON attempt (workload)
	WHERE state IN ('offered', 'held', 'starting', 'running', 'suspended');
CREATE INDEX attempt_live_at_site ON attempt (site, workload)
	WHERE state IN ('offered', 'held', 'starting', 'running', 'suspended');
CREATE INDEX attempt_lost_at_site ON attempt (site, workload)
	WHERE state = 'lost';

-- Every change of state, in the order of the log.
CREATE TABLE transition (
	idx        bigint NOT NULL PRIMARY KEY REFERENCES leaf (idx),
	tenant     text   NOT NULL,
	object     text   NOT NULL,
	id         text   NOT NULL,
	rev        bigint NOT NULL,
	from_state text   NOT NULL,
	to_state   text   NOT NULL,
	UNIQUE (object, id, rev),
	FOREIGN KEY (object, from_state, to_state) REFERENCES legal (object, from_state, to_state)
);

-- Every placement that was ever decided, with its reasons.
CREATE TABLE decision (
	idx      bigint NOT NULL PRIMARY KEY REFERENCES leaf (idx),
	tenant   text   NOT NULL,
	workload text   NOT NULL,
	plan     text   NOT NULL,
	at       bigint NOT NULL,
	body     text   NOT NULL,
	FOREIGN KEY (workload, tenant) REFERENCES workload (id, tenant)
);
CREATE INDEX decision_of_workload ON decision (workload, idx);

-- The decisions in force.
CREATE TABLE placement (
	workload text   NOT NULL PRIMARY KEY,
	tenant   text   NOT NULL,
	decision bigint NOT NULL REFERENCES decision (idx),
	FOREIGN KEY (workload, tenant) REFERENCES workload (id, tenant)
);

CREATE TABLE plan_in_force (
	slot bigint NOT NULL PRIMARY KEY CHECK (slot = 0),
	id   text   NOT NULL,
	at   bigint
);
INSERT INTO plan_in_force (slot, id) VALUES (0, '');

CREATE TABLE ledger_entry (
	idx      bigint NOT NULL PRIMARY KEY REFERENCES leaf (idx),
	tenant   text   NOT NULL,
	workload text   NOT NULL,
	attempt  bigint NOT NULL,
	hour     bigint NOT NULL,
	FOREIGN KEY (workload, tenant) REFERENCES workload (id, tenant)
);
CREATE INDEX ledger_entry_of_tenant ON ledger_entry (tenant, idx);
CREATE INDEX ledger_entry_of_workload ON ledger_entry (workload, idx);

CREATE TABLE meter (
	workload text   NOT NULL,
	attempt  bigint NOT NULL,
	hour     bigint NOT NULL,
	tenant   text   NOT NULL,
	body     text   NOT NULL,
	settled  bigint REFERENCES ledger_entry (idx),
	PRIMARY KEY (workload, attempt, hour),
	FOREIGN KEY (workload, attempt) REFERENCES attempt (workload, n),
	FOREIGN KEY (workload, tenant) REFERENCES workload (id, tenant)
);
CREATE INDEX meter_unsettled ON meter (hour, workload, attempt) WHERE settled IS NULL;

CREATE TABLE idempotency (
	tenant    text   NOT NULL,
	key       text   NOT NULL,
	body_hash bytea  NOT NULL,
	workload  text   NOT NULL,
	at        bigint NOT NULL,
	PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_by_age ON idempotency (at);

CREATE TABLE site (
	id          text    NOT NULL PRIMARY KEY,
	zone        text    NOT NULL,
	capacity    text    NOT NULL,
	pue         bigint  NOT NULL,
	price       bigint  NOT NULL,
	currency    text    NOT NULL,
	down        boolean NOT NULL,
	engine      text    NOT NULL,
	enclave_key bytea   NOT NULL,
	key_id      text    NOT NULL,
	registered  bigint  NOT NULL,
	seen        bigint,
	incarnation text    NOT NULL,
	answered    bigint  NOT NULL
);

-- Series, named by their content. A forecast's newest issue is in latest.
CREATE TABLE series (
	ref      text   NOT NULL PRIMARY KEY,
	kind     text   NOT NULL CHECK (kind IN ('measured', 'forecast')),
	zone     text   NOT NULL,
	start_at bigint NOT NULL,
	end_at   bigint NOT NULL,
	issued   bigint NOT NULL,
	body     text   NOT NULL
);
CREATE INDEX series_of_zone ON series (zone, kind, end_at);
CREATE INDEX series_by_end ON series (end_at);

CREATE TABLE latest (
	zone     text   NOT NULL,
	provider text   NOT NULL,
	basis    text   NOT NULL,
	issued   bigint NOT NULL,
	revision bigint NOT NULL,
	ref      text   NOT NULL REFERENCES series (ref),
	PRIMARY KEY (zone, provider, basis)
);
CREATE INDEX latest_by_ref ON latest (ref);

-- What on record refers to which series: those are kept.
CREATE TABLE series_use (
	ref text   NOT NULL,
	idx bigint NOT NULL REFERENCES leaf (idx),
	PRIMARY KEY (ref, idx)
);

CREATE TABLE token (
	id         text   NOT NULL PRIMARY KEY,
	hash       bytea  NOT NULL UNIQUE,
	tenant     text   NOT NULL,
	holder     text   NOT NULL,
	role       text   NOT NULL,
	site       text   NOT NULL,
	from_at    bigint NOT NULL,
	until_at   bigint NOT NULL,
	created    bigint NOT NULL
);

CREATE TABLE lease (
	name   text   NOT NULL PRIMARY KEY,
	holder text   NOT NULL,
	epoch  bigint NOT NULL,
	at     bigint NOT NULL
);

CREATE TABLE meta (
	key   text NOT NULL PRIMARY KEY,
	value text NOT NULL
);
