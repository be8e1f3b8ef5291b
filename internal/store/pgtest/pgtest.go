// Package pgtest starts a PostgreSQL of its own for tests: a real server in a
// temporary folder, on a socket, that ends with the tests.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"clusy.io/clusy/internal/secret"
)

// Server is a running PostgreSQL.
type Server struct {
	dir    string // the socket is in it too
	bin    string
	cmd    *exec.Cmd
	as     *syscall.Credential // nil: ourselves
	schema atomic.Int64
}

// Owner is whose the databases are: above no wall.
const Owner = "clusy"

const superuser = "postgres"

// bin returns the folder of the newest PostgreSQL on this machine.
func bin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", fmt.Errorf("there is no PostgreSQL on this machine: install postgresql")
	}
	slices.SortFunc(found, func(a, b string) int {
		v := func(p string) int { n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p)))); return n }
		return v(b) - v(a)
	})
	return filepath.Dir(found[0]), nil
}

// Start starts a server. What it may be told besides are settings, as
// "fsync=off".
func Start(settings ...string) (*Server, error) {
	s := &Server{}
	var err error
	if s.bin, err = bin(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 { // PostgreSQL refuses to be root
		if err := s.demote(); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(s.dir, "data")
	if out, err := s.command("initdb", "-D", data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "-N").CombinedOutput(); err != nil {
		s.Stop()
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	args := []string{"-D", data, "-k", s.dir, "-c", "listen_addresses="}
	for _, c := range settings {
		args = append(args, "-c", c)
	}
	s.cmd = s.command("postgres", args...)
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.Stop()
		return nil, err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.Stop()
		return nil, err
	}
	if err := s.prepare(); err != nil {
		text, _ := os.ReadFile(log.Name())
		s.Stop()
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return s, nil
}

func (s *Server) demote() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, uid, gid)
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGQUIT}
	return c
}

// prepare waits until the server answers, and makes the owner.
func (s *Server) prepare() error {
	var err error
	for range 200 {
		if err = s.Do(context.Background(), superuser, "CREATE ROLE "+Owner+" LOGIN; GRANT CREATE ON DATABASE postgres TO "+Owner); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the server does not answer: %w", err)
}

// Address returns where a database of the owner's is: each schema is one.
func (s *Server) Address(schema string) secret.Secret {
	return secret.Secret(s.address(Owner, schema))
}

func (s *Server) address(who, schema string) string {
	q := url.Values{"host": {s.dir}, "search_path": {schema}}
	return "postgres://" + who + "@/postgres?" + q.Encode()
}

// Do says statements to the server as somebody.
func (s *Server) Do(ctx context.Context, who string, statements string) error {
	c, err := pgx.Connect(ctx, s.address(who, "public"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, statements)
	return err
}

// Schema makes an empty schema and returns its name. It is dropped when t ends.
func (s *Server) Schema(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", s.schema.Add(1))
	if err := s.Do(context.Background(), Owner, "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Do(context.Background(), Owner, "SET client_min_messages = warning; DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return name
}

// Hang ends every connection of the owner's but one's own, as a network would.
func (s *Server) Hang(t testing.TB) {
	t.Helper()
	err := s.Do(context.Background(), superuser, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+Owner+"'")
	if err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server at once and removes its folder.
func (s *Server) Stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = s.cmd.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Shared returns the server of this test program, which is started when first
// asked for. It does not wait for the disk: tests of what is on disk start one
// of their own. End it from TestMain with StopShared.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(func() {
		shared.server, shared.err = Start("fsync=off", "full_page_writes=on", "shared_buffers=32MB", "max_connections=60")
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// StopShared ends the shared server, if there is one.
func StopShared() {
	if shared.server != nil {
		shared.server.Stop()
	}
}

// Told returns what the server wrote to its log.
func (s *Server) Told() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return strings.TrimSpace(string(text))
}
