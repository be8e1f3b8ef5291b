package main

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDocs runs every command that the docs show: each block marked sh, of one
// page in one shell after another, against a server of its own.
func TestDocs(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	pages := []string{"../../README.md"}
	err = filepath.WalkDir("../../docs", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".md") {
			pages = append(pages, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	env := append(os.Environ(), server(t, bin, data)...)
	env = append(env, "CLUSY_DATA="+data, "NO_COLOR=1", "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"))
	ran := 0
	for _, page := range pages {
		script := shell(t, page)
		if script == "" {
			continue
		}
		ran++
		t.Run(filepath.Base(page), func(t *testing.T) {
			cmd := exec.Command("sh", "-eu", "-c", script)
			cmd.Dir, cmd.Env = t.TempDir(), env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, script, out)
			}
		})
	}
	if ran < 4 {
		t.Errorf("only %d pages show commands: are they marked sh?", ran)
	}
}

// shell returns the sh blocks of a page.
func shell(t *testing.T, page string) string {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	inside := false
	for line := range strings.Lines(string(b)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```sh"
		case inside:
			out.WriteString(line)
		}
	}
	return out.String()
}

// server starts `clusy serve` until the test ends, and returns the environment
// that it printed.
func server(t *testing.T, bin, data string) (env []string) {
	t.Helper()
	cmd := exec.Command(bin, "serve", "--zone", "DE-LU", "--listen", "127.0.0.1:0", "--data", data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Try:") {
		if m := exported.FindStringSubmatch(lines.Text()); m != nil {
			env = append(env, m[1]+"="+m[2])
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	for end := time.Now().Add(time.Minute); ; time.Sleep(30 * time.Millisecond) {
		ask := exec.Command(bin, "sites", "--json")
		ask.Env = env
		if b, err := ask.Output(); err == nil && strings.Contains(string(b), `"zone"`) {
			return env
		}
		if time.Now().After(end) {
			t.Fatal("the server's site did not register")
		}
	}
}
