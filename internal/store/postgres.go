package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/secret"
)

// Postgres is the store of several replicas: one PostgreSQL that all of them
// read and write. Who writes holds a lock of the database until it has
// committed, so that the log has one end; it writes for as many callers at once
// as wait.
type Postgres struct{ *database }

// logLock is the key of the advisory lock under which the log grows.
const logLock = 0x636c757379 // "clusy"

// inPostgres are PostgreSQL's words.
var inPostgres = words{
	begin:  fmt.Sprintf("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(%d)", logLock),
	look:   "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	shared: true,
	clock:  "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
	wall: func(t access.Tenant) string {
		who := string(t)
		if t == "" {
			who = "*"
		}
		return "SET LOCAL clusy.tenant = '" + strings.ReplaceAll(who, "'", "''") + "'"
	},
}

// How long a statement waits before the connection is given up: nothing here
// takes as long, and a server that does not answer is gone.
const (
	connectWithin = 5 * time.Second
	lockWithin    = "10s"
	stuckAfter    = "60s"
)

// OpenPostgres opens the store in a PostgreSQL database (15 or newer), and makes
// its tables where there are none. address is its URL or its key=value form. Any
// number of processes may do so at once: they share the log and its signer.
func OpenPostgres(ctx context.Context, address secret.Secret, o Options) (*Postgres, error) {
	o, err := o.whole()
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	c, err := postgresConfig(address)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	pool := stdlib.OpenDB(*c)
	pool.SetMaxIdleConns(readers + 2)
	s := &Postgres{newDatabase(pool, inPostgres)}
	if err = checkPostgres(ctx, pool); err == nil {
		err = migratePostgres(ctx, pool)
	}
	if err == nil {
		err = s.start(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in PostgreSQL at %s: %w", c.Host, err), pool.Close())
	}
	return s, nil
}

// OpenPostgresReadOnly opens the store in a PostgreSQL database for reading and
// verification, whoever else writes to it. It changes nothing.
func OpenPostgresReadOnly(ctx context.Context, address secret.Secret) (*Postgres, error) {
	c, err := postgresConfig(address)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	pool := stdlib.OpenDB(*c)
	s := &Postgres{newDatabase(pool, inPostgres)}
	close(s.stopped)
	if err := checkVersion(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in PostgreSQL at %s: %w", c.Host, err), pool.Close())
	}
	return s, nil
}

// postgresConfig reads an address. Its errors do not repeat it: it may hold a
// password.
func postgresConfig(address secret.Secret) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(address.Reveal())
	if err != nil {
		return nil, errors.New("the address of the database is not one: write postgres://USER@HOST:5432/DATABASE?sslmode=verify-full, with the password in the file or variable that it is read from")
	}
	for _, to := range append([]*pgx.ConnConfig{c}, fallbacks(c)...) {
		if to.TLSConfig == nil && !here(to.Host) {
			return nil, fmt.Errorf("the connection to the database at %s may go without TLS: add sslmode=verify-full to its address", to.Host)
		}
	}
	c.ConnectTimeout = connectWithin
	if c.RuntimeParams == nil {
		c.RuntimeParams = map[string]string{}
	}
	for name, value := range map[string]string{
		"application_name": "clusy", "timezone": "UTC", "lock_timeout": lockWithin, "statement_timeout": stuckAfter,
		"idle_in_transaction_session_timeout": stuckAfter, "synchronous_commit": "on",
	} {
		if _, said := c.RuntimeParams[name]; !said {
			c.RuntimeParams[name] = value
		}
	}
	return c, nil
}

// fallbacks lists the other hosts of c, and the ways without TLS that an
// address allows.
func fallbacks(c *pgx.ConnConfig) (out []*pgx.ConnConfig) {
	for _, f := range c.Fallbacks {
		to := &pgx.ConnConfig{}
		to.Host, to.TLSConfig = f.Host, f.TLSConfig
		out = append(out, to)
	}
	return out
}

// here reports whether a host is this machine: a socket, or loopback.
func here(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

// oldestPostgres is server_version_num of the oldest that is supported.
const oldestPostgres = 150000

// checkPostgres refuses a server that would not keep what it promises.
func checkPostgres(ctx context.Context, pool *sql.DB) error {
	var version int
	var commits, full string
	var above bool
	err := pool.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'), current_setting('full_page_writes'),
		(SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)`).Scan(&version, &commits, &full, &above)
	switch {
	case err != nil:
		return fmt.Errorf("ask the server what it is: %w", err)
	case version < oldestPostgres:
		return fmt.Errorf("it is PostgreSQL %d.%d: 15 is the oldest that keeps what Clusy promises", version/10000, version%10000)
	case commits == "off" || full == "off":
		return fmt.Errorf("it forgets what it has answered: synchronous_commit is %s and full_page_writes %s; both must be on", commits, full)
	case above:
		return errors.New("its user is above the walls between tenants: use one without SUPERUSER and BYPASSRLS, as CREATE ROLE clusy LOGIN; ALTER DATABASE … OWNER TO clusy")
	}
	return nil
}
