package intent

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// checkParse holds Parse to what must be true of every input.
func checkParse(t *testing.T, src []byte) {
	t.Helper()
	in, err := Parse(src, "fuzz.yaml", noon)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || len(e.Violations) == 0 {
			t.Fatalf("%q: an error without a violation: %v", src, err)
		}
		shown := Render(err, false)
		if strings.ContainsRune(shown, 0x1b) || !utf8.ValidString(shown) {
			t.Errorf("%q: a terminal would obey %q", src, shown)
		}
		for _, v := range e.Violations {
			if v.Line < 0 || v.Line > 0 && (v.Column < 1 || v.Width < 1 || v.Line > len(e.lines)+1) {
				t.Errorf("%q: violation at %d:%d+%d", src, v.Line, v.Column, v.Width)
			}
		}
		_ = err.Error()
		return
	}
	b, err := Marshal(in)
	if err != nil {
		t.Fatalf("%q: accepted, and then %v", src, err)
	}
	again, err := Unmarshal(b)
	if err != nil || !reflect.DeepEqual(in, again) {
		t.Fatalf("%q: does not survive: %v\n%s", src, err, b)
	}
	shape, err := Blind(in, noon)
	if err != nil {
		t.Fatalf("%q: accepted, and then %v", src, err)
	}
	if shape.Power <= 0 || shape.PowerSource == "" || shape.Duration.Expected <= 0 || shape.When.CompleteBy.IsZero() || shape.Demand.Slots != 1 {
		t.Errorf("%q: shape %+v", src, shape)
	}
	for _, p := range []string{"/shape/when/completeBy", "/shape/duration/p95", "/shape/power", "/nothing/0"} {
		Locate(src, p)
	}
}

// FuzzParse: no bytes make Parse panic or hang, and every accepted intent
// survives Marshal, Unmarshal and Blind.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/errors/*")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte(six))
	f.Add([]byte(full))
	f.Add([]byte(`{"apiVersion":"clusy.io/v1","kind":"Intent","run":{"exec":["a","\ud800"],"env":{"A":"<\u0000>"}},"shape":{"duration":"6h","energy":"1kWh"},"when":{"maxDelay":"1h"}}`))
	f.Add([]byte("a: |\n  b\n\n  c\n? d\n: e\n- &x *x !!t f\n<<: *x\n%Y\n...\n---\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		begin := time.Now()
		checkParse(t, src)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%d bytes took %s", len(src), took)
		}
	})
}

// FuzzUnmarshal: what is not the canonical form of an intent is refused.
func FuzzUnmarshal(f *testing.F) {
	for _, src := range []string{six, full} {
		in, err := Parse([]byte(src), "", noon)
		if err != nil {
			f.Fatal(err)
		}
		b, err := Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := Unmarshal(b)
		if err != nil {
			return
		}
		if again, err := Marshal(in); err != nil || string(again) != string(b) {
			t.Errorf("%q: not canonical, %v", b, err)
		}
	})
}

// FuzzOpen: no bytes make OpenFrom panic, and none but the sealed ones open.
func FuzzOpen(f *testing.F) {
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := SealTo(key.Public(), "test", nil, []byte("hello"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := OpenFrom(key, "test", nil, b); err == nil && string(got) != "hello" {
			t.Errorf("opened %q", got)
		}
	})
}
