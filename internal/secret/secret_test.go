package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"clusy.io/clusy/internal/secret"
)

const plain = "hunter2"

type login struct {
	User     string        `json:"user" xml:"user"`
	Password secret.Secret `json:"password" xml:"password"`
}

func TestReveal(t *testing.T) {
	if got := secret.Secret(plain).Reveal(); got != plain {
		t.Errorf("revealed %q", got)
	}
}

// Whatever prints a Secret prints dots.
func TestNeverPrinted(t *testing.T) {
	s := secret.Secret(plain)
	l := login{"ann", s}
	out := map[string]string{}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%T%v", "%20s", "%-20v", "%.3s", "%U", "%c"}
	for _, v := range verbs {
		for name, x := range map[string]any{
			"secret": s, "pointer": &s, "struct": l, "pointer to struct": &l, "slice": []secret.Secret{s},
			"map": map[string]secret.Secret{"k": s}, "key": map[secret.Secret]int{s: 1}, "any": []any{s, l}, "array": [1]login{l},
		} {
			if v == "%T%v" {
				out[v+" of "+name] = fmt.Sprintf(v, x, x)
			} else {
				out[v+" of "+name] = fmt.Sprintf(v, x)
			}
		}
	}
	out["print"] = fmt.Sprint(s, l)
	out["println"] = fmt.Sprintln(&l)
	out["string"] = s.String()
	out["go string"] = s.GoString()
	out["error"] = fmt.Errorf("log in as %v: %w", l, errors.New("no")).Error()

	for name, v := range map[string]any{
		"json": s, "json struct": l, "json pointer": &l, "json map": map[string]any{"s": s},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(b)
	}
	b, err := xml.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	out["xml"] = string(b)

	var buf bytes.Buffer
	for name, h := range map[string]slog.Handler{"slog text": slog.NewTextHandler(&buf, nil), "slog json": slog.NewJSONHandler(&buf, nil)} {
		buf.Reset()
		slog.New(h).With("with", s).Info("login", "secret", s, "struct", l, "pointer", &l, slog.Group("g", "s", s))
		out[name] = buf.String()
	}
	buf.Reset()
	log.New(&buf, "", 0).Print(s, l)
	out["log"] = buf.String()
	buf.Reset()
	if err := template.Must(template.New("").Parse(`{{.}} {{.Password}} {{printf "%s" .Password}}`)).Execute(&buf, l); err != nil {
		t.Fatal(err)
	}
	out["template"] = buf.String()

	for name, text := range out {
		for _, leak := range []string{plain, plain[:3], strings.ToUpper(plain[:3]), fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("% x", plain)} {
			if strings.Contains(text, leak) {
				t.Errorf("%s: %s", name, text)
			}
		}
		if !strings.Contains(text, "•••") {
			t.Errorf("%s has no dots: %s", name, text)
		}
	}
}

// TestHoles keeps what no type whose kind is string can hide, so that nobody
// counts on it: a Secret is an exported field, and never the key of a map that
// goes into JSON. If a case fails, the hole is closed: delete it here.
func TestHoles(t *testing.T) {
	s := secret.Secret(plain)
	type hidden struct{ password secret.Secret }
	key, err := json.Marshal(map[secret.Secret]int{s: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"fmt of an unexported field (fmt may not call its methods)":  fmt.Sprintf("%v", hidden{s}),
		"key of a JSON object (the key's kind goes before its text)": string(key),
		"conversion": string(s),
	} {
		if !strings.Contains(text, plain) {
			t.Errorf("%s is hidden now: %s", name, text)
		}
	}
}

// What is read from a file or a request becomes a Secret like any text.
func TestRead(t *testing.T) {
	var l login
	if err := json.Unmarshal([]byte(`{"user":"ann","password":"hunter2"}`), &l); err != nil || l.Password.Reveal() != plain {
		t.Errorf("read %q, %v", l.Password.Reveal(), err)
	}
}
