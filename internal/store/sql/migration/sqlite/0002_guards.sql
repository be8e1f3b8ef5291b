-- What SQLite itself refuses, whoever asks. PostgreSQL has the same guards in
-- its own words.

-- The log is append-only and has no gaps.
CREATE TRIGGER leaf_next BEFORE INSERT ON leaf
WHEN NEW.idx <> (SELECT coalesce(max(idx), -1) + 1 FROM leaf)
BEGIN SELECT RAISE(ABORT, 'a leaf goes to the end of the log'); END;
CREATE TRIGGER leaf_unchanged BEFORE UPDATE ON leaf BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER leaf_kept BEFORE DELETE ON leaf BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER loghash_unchanged BEFORE UPDATE ON loghash BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER loghash_kept BEFORE DELETE ON loghash BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER checkpoint_unchanged BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER checkpoint_kept BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER transition_unchanged BEFORE UPDATE ON transition BEGIN SELECT RAISE(ABORT, 'transitions are append-only'); END;
CREATE TRIGGER transition_kept BEFORE DELETE ON transition BEGIN SELECT RAISE(ABORT, 'transitions are append-only'); END;
CREATE TRIGGER decision_unchanged BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decision_kept BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER ledger_entry_unchanged BEFORE UPDATE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entry_kept BEFORE DELETE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER legal_unchanged BEFORE UPDATE ON legal BEGIN SELECT RAISE(ABORT, 'the table of legal moves is fixed'); END;
CREATE TRIGGER legal_kept BEFORE DELETE ON legal BEGIN SELECT RAISE(ABORT, 'the table of legal moves is fixed'); END;

-- A settled meter never changes.
CREATE TRIGGER meter_settled BEFORE UPDATE ON meter WHEN OLD.settled IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a settled meter never changes'); END;
CREATE TRIGGER meter_kept BEFORE DELETE ON meter BEGIN SELECT RAISE(ABORT, 'meters are kept'); END;

-- A state changes only by a transition on record.
CREATE TRIGGER workload_born BEFORE INSERT ON workload
WHEN NOT EXISTS (SELECT 1 FROM transition WHERE object = 'workload' AND id = NEW.id AND rev = NEW.rev
	AND from_state = '' AND to_state = NEW.state AND tenant = NEW.tenant)
BEGIN SELECT RAISE(ABORT, 'a workload is born by a transition on record'); END;
CREATE TRIGGER workload_moved BEFORE UPDATE ON workload
WHEN NEW.id <> OLD.id OR NEW.tenant <> OLD.tenant OR ((NEW.state <> OLD.state OR NEW.rev <> OLD.rev)
	AND NOT EXISTS (SELECT 1 FROM transition WHERE object = 'workload' AND id = NEW.id AND rev = NEW.rev AND NEW.rev = OLD.rev + 1
		AND from_state = OLD.state AND to_state = NEW.state))
BEGIN SELECT RAISE(ABORT, 'a workload moves by a transition on record'); END;
CREATE TRIGGER workload_kept BEFORE DELETE ON workload BEGIN SELECT RAISE(ABORT, 'workloads are kept'); END;
CREATE TRIGGER attempt_born BEFORE INSERT ON attempt
WHEN NOT EXISTS (SELECT 1 FROM transition WHERE object = 'attempt' AND id = NEW.workload || '/' || NEW.n AND rev = NEW.rev
	AND from_state = '' AND to_state = NEW.state AND tenant = NEW.tenant)
BEGIN SELECT RAISE(ABORT, 'an attempt is born by a transition on record'); END;
CREATE TRIGGER attempt_moved BEFORE UPDATE ON attempt
WHEN NEW.workload <> OLD.workload OR NEW.n <> OLD.n OR NEW.tenant <> OLD.tenant OR ((NEW.state <> OLD.state OR NEW.rev <> OLD.rev)
	AND NOT EXISTS (SELECT 1 FROM transition WHERE object = 'attempt' AND id = NEW.workload || '/' || NEW.n AND rev = NEW.rev AND NEW.rev = OLD.rev + 1
		AND from_state = OLD.state AND to_state = NEW.state))
BEGIN SELECT RAISE(ABORT, 'an attempt moves by a transition on record'); END;
CREATE TRIGGER attempt_kept BEFORE DELETE ON attempt BEGIN SELECT RAISE(ABORT, 'attempts are kept'); END;
