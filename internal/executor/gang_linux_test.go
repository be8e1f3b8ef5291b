package executor

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func ganged(size int, grace time.Duration, script string) (int, []string) {
	var out bytes.Buffer
	code := (&gang{size: size, grace: grace, argv: []string{"sh", "-c", script}, out: &out}).run()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	return code, lines
}

// All copies run at once, know who they are, and lose no line.
func TestGangRunsTogether(t *testing.T) {
	// Each waits for the line of the one before it, in a file: one after the
	// other they would wait for ever.
	dir := t.TempDir()
	code, lines := ganged(3, time.Second, `cd `+dir+`; : > up.$CLUSY_RANK
while [ "$(ls | wc -l)" -lt $CLUSY_SIZE ]; do sleep 0.01; done; echo one of $CLUSY_SIZE; printf 'no end' >&2`)
	want := []string{"0| no end", "0| one of 3", "1| no end", "1| one of 3", "2| no end", "2| one of 3"}
	if code != 0 || !slices.Equal(lines, want) {
		t.Errorf("code %d: %q", code, lines)
	}
}

// One that fails ends the others, and its code is the gang's.
func TestGangFailsAsOne(t *testing.T) {
	code, lines := ganged(3, time.Minute, `if [ $CLUSY_RANK = 1 ]; then exit 7; fi; exec sleep 600`)
	if code != 7 || !slices.Contains(lines, "1| failed with code 7: the others are stopped") {
		t.Errorf("code %d: %q", code, lines)
	}
	// Who does not listen is killed, with what it started.
	code, _ = ganged(2, time.Millisecond, `if [ $CLUSY_RANK = 0 ]; then exit 3; fi; trap "" TERM; while true; do sleep 600; done`)
	if code != 3 {
		t.Errorf("code %d", code)
	}
	if code, _ = ganged(2, time.Minute, `if [ $CLUSY_RANK = 0 ]; then kill -9 $$; fi; exec sleep 600`); code != 128+9 {
		t.Errorf("code %d", code)
	}
}

func TestGangThatCannotStart(t *testing.T) {
	var out bytes.Buffer
	if code := (&gang{size: 2, grace: time.Second, argv: []string{"/no/such/program"}, out: &out}).run(); code != 127 || !strings.Contains(out.String(), "0| start failed") {
		t.Errorf("code %d: %s", code, out.String())
	}
	for _, args := range [][]string{{}, {"2", "1s", "--"}, {"0", "1s", "--", "a"}, {"x", "1s", "--", "a"}, {"2", "1", "--", "a"}, {"2", "1s", "a", "b"}} {
		if code := GangMain(args); code != 2 {
			t.Errorf("%q: %d", args, code)
		}
	}
}

// A line without an end is not kept waiting for ever.
func TestGangBreaksLines(t *testing.T) {
	var out bytes.Buffer
	w := &ranked{g: &gang{out: &out}, rank: 5}
	for range 3 {
		_, _ = w.Write(bytes.Repeat([]byte("x"), mostLine/2))
	}
	w.flush()
	if got := strings.Count(out.String(), "\n"); got != 2 || out.Len() != mostLine*3/2+2*len("5| \n") {
		t.Errorf("%d lines, %d bytes", got, out.Len())
	}
}
