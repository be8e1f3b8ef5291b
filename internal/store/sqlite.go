package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/problem"
)

// Options say where a store is and how it signs its log.
type Options struct {
	// Dir holds the store's files and nothing else. It is made if need be,
	// for the owner's eyes only.
	Dir string
	// Origin names the log, once and for ever.
	Origin string
	// Signer signs the log's checkpoints under the name Origin.
	Signer merkle.Signer
	// Now tells the time of the event that opens the log; nil: time.Now.
	Now func() time.Time
	// Random is where salts come from; nil: crypto/rand.
	Random io.Reader
}

// metaOrigin is the meta key under which the log's origin is kept.
const metaOrigin = "log.origin"

// fileName is the name of the database inside Dir.
const fileName = "clusy.db"

// readers is how many views may run at once.
const readers = 4

// SQLite is the store of one machine: one file, one writer with group commit,
// and a few readers beside it. WAL and synchronous=FULL: what Update has
// answered is on disk, and a power cut does not take it back.
type SQLite struct{ *database }

// inSQLite are SQLite's words. One process has the file to itself.
var inSQLite = words{begin: "BEGIN IMMEDIATE", look: "BEGIN", reader: "PRAGMA query_only(ON)"}

// Open opens the store in a directory, makes it if there is none, and keeps
// every other process from doing the same.
func Open(ctx context.Context, o Options) (*SQLite, error) {
	o, err := o.whole()
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := private(o.Dir); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	l, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", source(o.Dir, "_txlock", "immediate", "_pragma", "journal_mode(WAL)", "_pragma", "synchronous(FULL)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store: %w", err), l.Close())
	}
	s := &SQLite{newDatabase(pool, inSQLite)}
	s.release = l.Close
	if err = migrate(ctx, pool); err == nil {
		err = s.start(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", o.Dir, err), pool.Close(), l.Close())
	}
	return s, nil
}

// whole returns the options with what they leave open filled in.
func (o Options) whole() (Options, error) {
	if o.Signer == nil {
		return o, errors.New("nobody to sign its log")
	}
	if err := merkle.CheckOrigin(o.Origin); err != nil {
		return o, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return o, nil
}

// OpenReadOnly opens the store in a directory for reading and verification,
// whether a server has it open or not. It changes nothing and locks nothing.
func OpenReadOnly(ctx context.Context, dir string) (*SQLite, error) {
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		return nil, problem.Errorf(problem.NotFound, "there is no store in %s: %w", dir, err)
	}
	pool, err := sql.Open("sqlite", source(dir, "mode", "ro"))
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s := &SQLite{newDatabase(pool, inSQLite)}
	close(s.stopped)
	if err := checkVersion(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", dir, err), pool.Close())
	}
	return s, nil
}

// private makes a directory and its database file for the owner's eyes only.
func private(dir string) error {
	if dir == "" {
		return errors.New("no directory")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(dir, fileName)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Chmod(name, 0o600))
}

// source returns the driver's name for the database in dir.
func source(dir string, pairs ...string) string {
	v := url.Values{"_pragma": {
		"busy_timeout(5000)", "foreign_keys(ON)", "recursive_triggers(ON)", "trusted_schema(OFF)", "cell_size_check(ON)", "temp_store(MEMORY)",
	}}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	path, err := filepath.Abs(filepath.Join(dir, fileName))
	if err != nil {
		path = filepath.Join(dir, fileName)
	}
	return "file://" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + v.Encode()
}
