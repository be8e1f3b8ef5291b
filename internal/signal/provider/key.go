package provider

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"clusy.io/clusy/internal/secret"
)

// keyRef says where a key is kept. It is read anew for each request, so that a
// changed key needs no restart. The zero value is no key.
type keyRef struct {
	env, file string
}

// reference reads env:NAME or file:PATH. Its error never repeats the text: it
// may be the key itself.
func reference(s string) (keyRef, error) {
	how, where, _ := strings.Cut(s, ":")
	switch {
	case where == "" || len(where) > 4096 || strings.ContainsRune(where, 0):
	case how == "env" && !strings.ContainsAny(where, "= \t\n"):
		return keyRef{env: where}, nil
	case how == "file":
		return keyRef{file: where}, nil
	}
	return keyRef{}, errors.New("is not a reference; write env:NAME or file:PATH, and never the key itself")
}

// ReadSecret reads what a reference, env:NAME or file:PATH, stands for.
func ReadSecret(ref string) (secret.Secret, error) {
	r, err := reference(ref)
	if err != nil {
		return "", err
	}
	return r.read()
}

func (r keyRef) none() bool { return r == keyRef{} }

const mostKey = 4096

// read returns the key. Errors name where it is kept and never what it is.
func (r keyRef) read() (secret.Secret, error) {
	if r.none() {
		return "", nil
	}
	if r.env != "" {
		text, ok := os.LookupEnv(r.env)
		if !ok {
			return "", fmt.Errorf("env:%s is not set", r.env)
		}
		return usable("env:"+r.env, text)
	}
	where := "file:" + r.file
	// Before opening: to open a pipe would wait for whoever writes to it.
	info, err := os.Stat(r.file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("%s is not there", where)
	case err != nil:
		return "", fmt.Errorf("%s cannot be looked at", where)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", where)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s has mode %#o and may be read by others; chmod 600 it", where, info.Mode().Perm())
	}
	f, err := os.Open(r.file)
	if err != nil {
		return "", fmt.Errorf("%s cannot be opened by this user", where)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostKey+1))
	if err != nil {
		return "", fmt.Errorf("%s cannot be read", where)
	}
	return usable(where, string(text))
}

// usable refuses what no key is and what would break a header.
func usable(where, text string) (secret.Secret, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", where)
	case len(text) > mostKey:
		return "", fmt.Errorf("%s has more than %d bytes, which is no key", where, mostKey)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("%s holds more than one line or a control character", where)
	}
	return secret.Secret(text), nil
}
