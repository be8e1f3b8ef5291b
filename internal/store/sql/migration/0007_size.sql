-- The size at which an attempt of elastic work runs, as its site said last, in
-- thousandths of the declared one; 0 is as declared. It is a fact about a run,
-- of the tenant of its row like all that stands there, and no more secret than
-- the shape's sizes, which the server plans with: it is in the clear.

-- +goose Up

ALTER TABLE attempt ADD COLUMN size bigint NOT NULL DEFAULT 0;
