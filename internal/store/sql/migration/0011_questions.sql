-- Questions to an enclave that wait for the server to which its agent speaks, and
-- replies that wait for the one who asked: servers that share a database carry
-- them for one another. Each lives for seconds, and none is part of the record.
-- A row belongs to the tenant of the asker. What is secret in it is sealed
-- already: the workload's intent to the enclave, the reply to the asker's key.

-- +goose Up

CREATE TABLE question (
	id       text   PRIMARY KEY,
	tenant   text   NOT NULL CHECK (tenant <> ''),
	site     text   NOT NULL,
	ask      text   NOT NULL, -- JSON, as the agent gets it
	reply    text   NOT NULL, -- JSON; '' until there is one
	until_at bigint NOT NULL  -- nobody waits for it any longer then
);
