-- What PostgreSQL itself refuses, whoever asks: the guards of SQLite's folder in
-- its own words. A function that looks past the wall says so: what it guards is
-- the log of all.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;

-- The log is append-only and has no gaps.
CREATE FUNCTION leaf_next() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	who text := coalesce(current_setting('clusy.tenant', true), '');
	last bigint;
BEGIN
	PERFORM set_config('clusy.tenant', '*', true);
	SELECT coalesce(max(idx), -1) INTO last FROM leaf;
	PERFORM set_config('clusy.tenant', who, true);
	IF NEW.idx <> last + 1 THEN
		RAISE EXCEPTION 'a leaf goes to the end of the log';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER leaf_next BEFORE INSERT ON leaf FOR EACH ROW EXECUTE FUNCTION leaf_next();
CREATE TRIGGER leaf_unchanged BEFORE UPDATE ON leaf FOR EACH ROW EXECUTE FUNCTION refuse('the log is append-only');
CREATE TRIGGER leaf_kept BEFORE DELETE ON leaf FOR EACH ROW EXECUTE FUNCTION refuse('the log is append-only');
CREATE TRIGGER loghash_unchanged BEFORE UPDATE ON loghash FOR EACH ROW EXECUTE FUNCTION refuse('the log is append-only');
CREATE TRIGGER loghash_kept BEFORE DELETE ON loghash FOR EACH ROW EXECUTE FUNCTION refuse('the log is append-only');
CREATE TRIGGER checkpoint_unchanged BEFORE UPDATE ON checkpoint FOR EACH ROW EXECUTE FUNCTION refuse('the log is append-only');
CREATE TRIGGER checkpoint_kept BEFORE DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION refuse('the log is append-only');
CREATE TRIGGER transition_unchanged BEFORE UPDATE ON transition FOR EACH ROW EXECUTE FUNCTION refuse('transitions are append-only');
CREATE TRIGGER transition_kept BEFORE DELETE ON transition FOR EACH ROW EXECUTE FUNCTION refuse('transitions are append-only');
CREATE TRIGGER decision_unchanged BEFORE UPDATE ON decision FOR EACH ROW EXECUTE FUNCTION refuse('decisions are append-only');
CREATE TRIGGER decision_kept BEFORE DELETE ON decision FOR EACH ROW EXECUTE FUNCTION refuse('decisions are append-only');
CREATE TRIGGER ledger_entry_unchanged BEFORE UPDATE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER ledger_entry_kept BEFORE DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER legal_unchanged BEFORE UPDATE ON legal FOR EACH ROW EXECUTE FUNCTION refuse('the table of legal moves is fixed');
CREATE TRIGGER legal_kept BEFORE DELETE ON legal FOR EACH ROW EXECUTE FUNCTION refuse('the table of legal moves is fixed');
CREATE TRIGGER meter_settled BEFORE UPDATE ON meter FOR EACH ROW WHEN (OLD.settled IS NOT NULL) EXECUTE FUNCTION refuse('a settled meter never changes');
CREATE TRIGGER meter_kept BEFORE DELETE ON meter FOR EACH ROW EXECUTE FUNCTION refuse('meters are kept');
CREATE TRIGGER workload_kept BEFORE DELETE ON workload FOR EACH ROW EXECUTE FUNCTION refuse('workloads are kept');
CREATE TRIGGER attempt_kept BEFORE DELETE ON attempt FOR EACH ROW EXECUTE FUNCTION refuse('attempts are kept');
CREATE TRIGGER leaf_whole BEFORE TRUNCATE ON leaf FOR EACH STATEMENT EXECUTE FUNCTION refuse('leaf is never emptied');
CREATE TRIGGER loghash_whole BEFORE TRUNCATE ON loghash FOR EACH STATEMENT EXECUTE FUNCTION refuse('loghash is never emptied');
CREATE TRIGGER checkpoint_whole BEFORE TRUNCATE ON checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse('checkpoint is never emptied');
CREATE TRIGGER transition_whole BEFORE TRUNCATE ON transition FOR EACH STATEMENT EXECUTE FUNCTION refuse('transition is never emptied');
CREATE TRIGGER decision_whole BEFORE TRUNCATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION refuse('decision is never emptied');
CREATE TRIGGER ledger_entry_whole BEFORE TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse('ledger_entry is never emptied');
CREATE TRIGGER legal_whole BEFORE TRUNCATE ON legal FOR EACH STATEMENT EXECUTE FUNCTION refuse('legal is never emptied');
CREATE TRIGGER meter_whole BEFORE TRUNCATE ON meter FOR EACH STATEMENT EXECUTE FUNCTION refuse('meter is never emptied');
CREATE TRIGGER workload_whole BEFORE TRUNCATE ON workload FOR EACH STATEMENT EXECUTE FUNCTION refuse('workload is never emptied');
CREATE TRIGGER attempt_whole BEFORE TRUNCATE ON attempt FOR EACH STATEMENT EXECUTE FUNCTION refuse('attempt is never emptied');

-- A state changes only by a transition on record.
CREATE FUNCTION workload_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM transition WHERE object = 'workload' AND id = NEW.id AND rev = NEW.rev
		AND from_state = '' AND to_state = NEW.state AND tenant = NEW.tenant) THEN
		RAISE EXCEPTION 'a workload is born by a transition on record';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER workload_born BEFORE INSERT ON workload FOR EACH ROW EXECUTE FUNCTION workload_born();
CREATE FUNCTION workload_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id <> OLD.id OR NEW.tenant <> OLD.tenant OR ((NEW.state <> OLD.state OR NEW.rev <> OLD.rev)
		AND NOT EXISTS (SELECT 1 FROM transition WHERE object = 'workload' AND id = NEW.id AND rev = NEW.rev AND NEW.rev = OLD.rev + 1
			AND from_state = OLD.state AND to_state = NEW.state)) THEN
		RAISE EXCEPTION 'a workload moves by a transition on record';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER workload_moved BEFORE UPDATE ON workload FOR EACH ROW EXECUTE FUNCTION workload_moved();
CREATE FUNCTION attempt_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM transition WHERE object = 'attempt' AND id = NEW.workload || '/' || NEW.n AND rev = NEW.rev
		AND from_state = '' AND to_state = NEW.state AND tenant = NEW.tenant) THEN
		RAISE EXCEPTION 'an attempt is born by a transition on record';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER attempt_born BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION attempt_born();
CREATE FUNCTION attempt_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.workload <> OLD.workload OR NEW.n <> OLD.n OR NEW.tenant <> OLD.tenant OR ((NEW.state <> OLD.state OR NEW.rev <> OLD.rev)
		AND NOT EXISTS (SELECT 1 FROM transition WHERE object = 'attempt' AND id = NEW.workload || '/' || NEW.n AND rev = NEW.rev AND NEW.rev = OLD.rev + 1
			AND from_state = OLD.state AND to_state = NEW.state)) THEN
		RAISE EXCEPTION 'an attempt moves by a transition on record';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER attempt_moved BEFORE UPDATE ON attempt FOR EACH ROW EXECUTE FUNCTION attempt_moved();
