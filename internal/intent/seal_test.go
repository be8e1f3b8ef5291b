package intent

import (
	"bytes"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/workload"
)

func newKey(t testing.TB) PrivateKey {
	t.Helper()
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sealedIntent returns an intent full of markers, its shape, and it sealed.
func sealedIntent(t *testing.T, key PrivateKey) (Intent, workload.Shape, []byte) {
	t.Helper()
	in := planted(t)
	sealed, err := Seal(in, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	shape, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	return in, shape, sealed
}

func TestSealAndOpen(t *testing.T) {
	key := newKey(t)
	in, shape, sealed := sealedIntent(t, key)
	got, err := Open(sealed, key, shape)
	if err != nil || !reflect.DeepEqual(got, in) {
		t.Fatalf("got %v, %v", got, err)
	}
	if bytes.Contains(sealed, []byte(marker)) || bytes.Contains(sealed, []byte("exec")) || bytes.Contains(sealed, []byte("clusy.io")) {
		t.Error("plaintext in the sealed bytes")
	}
	if id, err := SealedTo(sealed); err != nil || id != KeyID(key.Public()) {
		t.Errorf("sealed to %s, %v", id, err)
	}
	again, _ := Seal(in, key.Public())
	if bytes.Equal(again, sealed) {
		t.Error("the same intent is sealed to the same bytes twice")
	}
	// A shape that has been through a store and back opens too.
	b, _ := json.Marshal(shape)
	var stored workload.Shape
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(sealed, key, stored); err != nil {
		t.Error(err)
	}
}

// The length of a command does not show in the length of what is sealed.
func TestSealHidesLength(t *testing.T) {
	key := newKey(t)
	lengths := map[int]bool{}
	for i := range 100 {
		in := defaults()
		in.Run.Exec = []string{strings.Repeat("x", 1+i)}
		sealed, err := Seal(in, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		lengths[len(sealed)] = true
	}
	if len(lengths) > 2 {
		t.Errorf("%d lengths for 100 commands", len(lengths))
	}
}

func wantErrOpen(t *testing.T, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: opened", what)
	case !errors.Is(err, ErrOpen):
		t.Errorf("%s: %v is no ErrOpen", what, err)
	case strings.Contains(err.Error(), marker):
		t.Errorf("%s: the error repeats the plaintext", what)
	}
}

func TestOpenRefuses(t *testing.T) {
	key := newKey(t)
	in, shape, sealed := sealedIntent(t, key)

	_, err := Open(sealed, newKey(t), shape)
	wantErrOpen(t, "another key", err)
	_, err = Open(sealed, PrivateKey{}, shape)
	wantErrOpen(t, "no key", err)
	// Another key that claims the id of the right one.
	thief := newKey(t)
	thief.public.id = key.public.id
	_, err = Open(sealed, thief, shape)
	wantErrOpen(t, "another key of the same id", err)

	swapped := shape
	swapped.When.CompleteBy = swapped.When.CompleteBy.Add(1e9)
	_, err = Open(sealed, key, swapped)
	wantErrOpen(t, "another shape", err)
	swapped = shape
	swapped.Where.Allow = []string{"elsewhere"}
	_, err = Open(sealed, key, swapped)
	wantErrOpen(t, "another place", err)

	for i := range len(sealed) {
		if i > headerSize && i < len(sealed)-tagSize && i%37 != 0 {
			continue // all of the header and the tag, and a sample of the rest
		}
		bad := bytes.Clone(sealed)
		bad[i] ^= 1 << (i % 8)
		_, err := Open(bad, key, shape)
		wantErrOpen(t, fmt.Sprintf("byte %d flipped", i), err)
	}
	for _, n := range []int{0, 1, 4, 5, 6, headerSize, headerSize + encSize, Overhead - 1, Overhead, len(sealed) - 1} {
		_, err := Open(sealed[:n], key, shape)
		wantErrOpen(t, fmt.Sprintf("cut at %d", n), err)
	}
	_, err = Open(append(bytes.Clone(sealed), 0), key, shape)
	wantErrOpen(t, "a byte more", err)
	_, err = Open(append(bytes.Clone(sealed), make([]byte, MaxPlain+1)...), key, shape)
	wantErrOpen(t, "oversize", err)

	// A sender that binds the right shape to an intent of another one.
	lie := in
	lie.Shape.Power += grid.Watt
	b, err := Marshal(lie)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := SealTo(key.Public(), sealInfo, intentContext(key.Public(), shape), pad(b))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(forged, key, shape)
	wantErrOpen(t, "a lie about the shape", err)

	// A sender that seals what is not an intent.
	for what, plain := range map[string][]byte{
		"nothing": {}, "no frame": []byte("abc"), "a frame without its end": append([]byte{0, 0, 1, 0}, make([]byte, 252)...),
		"a huge frame": bytes.Repeat([]byte{0xff}, 256), "an unpadded frame": {0, 0, 0, 0, 0},
	} {
		forged, _ := SealTo(key.Public(), sealInfo, intentContext(key.Public(), shape), plain)
		_, err := Open(forged, key, shape)
		wantErrOpen(t, what, err)
	}
	forged, _ = SealTo(key.Public(), sealInfo, intentContext(key.Public(), shape), pad([]byte(`{"run":"`+marker+`"}`)))
	if _, err := Open(forged, key, shape); err == nil || strings.Contains(err.Error(), marker) {
		t.Errorf("not an intent: %v", err)
	}
}

// Each tie holds by itself, not only because another would catch the same.
func TestEachTieHolds(t *testing.T) {
	key := newKey(t)
	_, shape, sealed := sealedIntent(t, key)
	other := shape
	other.Policy.Priority++
	if _, err := OpenFrom(key, sealInfo, intentContext(key.Public(), shape), sealed); err != nil {
		t.Error(err)
	}
	_, err := OpenFrom(key, sealInfo, intentContext(key.Public(), other), sealed)
	wantErrOpen(t, "the shape in the context", err)
	_, err = OpenFrom(key, sealInfo, intentContext(newKey(t).Public(), shape), sealed)
	wantErrOpen(t, "the key in the context", err)

	// A ciphertext that is not bound to its header.
	enc, sender, err := hpke.NewSender(key.Public().key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := sender.Seal([]byte("aad"), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenFrom(key, "x", []byte("aad"), append(append(header(key.Public()), enc...), c...))
	wantErrOpen(t, "the header in the context", err)

	_, err = OpenFrom(newKey(t), sealInfo, nil, sealed)
	if err == nil || !strings.Contains(err.Error(), "it is sealed to "+KeyID(key.Public())) {
		t.Errorf("another key: %v", err)
	}
	_, err = OpenFrom(key, "x", nil, append(sealed, make([]byte, MaxPlain)...))
	if err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("oversize: %v", err)
	}
}

func TestSealToAndOpenFrom(t *testing.T) {
	viewer := newKey(t)
	for _, plain := range [][]byte{nil, []byte("a line of a log\n"), make([]byte, 100_000)} {
		sealed, err := SealTo(viewer.Public(), "clusy.io/logs/v1", []byte("wl_1"), plain)
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != len(plain)+Overhead {
			t.Errorf("overhead %d, want %d", len(sealed)-len(plain), Overhead)
		}
		got, err := OpenFrom(viewer, "clusy.io/logs/v1", []byte("wl_1"), sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		_, err = OpenFrom(viewer, "clusy.io/names/v1", []byte("wl_1"), sealed)
		wantErrOpen(t, "another purpose", err)
		_, err = OpenFrom(viewer, "clusy.io/logs/v1", []byte("wl_2"), sealed)
		wantErrOpen(t, "another context", err)
		_, err = OpenFrom(viewer, "clusy.io/logs/v1", nil, sealed)
		wantErrOpen(t, "no context", err)
		_, err = OpenFrom(viewer, "", []byte("wl_1"), sealed)
		wantErrOpen(t, "no purpose", err)
	}
	for what, seal := range map[string]func() ([]byte, error){
		"no key":     func() ([]byte, error) { return SealTo(PublicKey{}, "x", nil, nil) },
		"no purpose": func() ([]byte, error) { return SealTo(viewer.Public(), "", nil, nil) },
		"oversize":   func() ([]byte, error) { return SealTo(viewer.Public(), "x", nil, make([]byte, MaxPlain+1)) },
		"no intent":  func() ([]byte, error) { return Seal(Intent{}, viewer.Public()) },
		"nobody":     func() ([]byte, error) { return Seal(defaults(), PublicKey{}) },
	} {
		if _, err := seal(); err == nil {
			t.Errorf("%s: sealed", what)
		}
	}
}

func TestKeys(t *testing.T) {
	key := newKey(t)
	id := KeyID(key.Public())
	if !strings.HasPrefix(id, "ek_") || len(id) != 29 || id == KeyID(newKey(t).Public()) || KeyID(PublicKey{}) != "" {
		t.Errorf("id %q", id)
	}
	public, err := ParsePublic(EncodePublic(key.Public()) + "\n")
	if err != nil || KeyID(public) != id || public.String() != id {
		t.Fatalf("public key: %s, %v", KeyID(public), err)
	}
	text, err := EncodePrivate(key)
	if err != nil || !strings.Contains(text.Reveal(), "PRIVATE KEY") || !strings.Contains(text.Reveal(), id) {
		t.Fatalf("private key: %v", err)
	}
	back, err := ParsePrivate("\n" + text + "\n")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := SealTo(public, "x", nil, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenFrom(back, "x", nil, sealed); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if EncodePublic(PublicKey{}) != "" {
		t.Error("the zero key is written")
	}
	if _, err := EncodePrivate(PrivateKey{}); err == nil {
		t.Error("no key is written")
	}

	good := EncodePublic(key.Public())
	for _, bad := range []string{"", "clusy-enclave-1:", "clusy-enclave-2" + good[15:], good[:len(good)-4], good + "AAAA", good[:len(good)-1] + "!", strings.Replace(good, ":", ": ", 1)} {
		if _, err := ParsePublic(bad); err == nil {
			t.Errorf("read %.40q…", bad)
		}
	}
	body := strings.Split(text.Reveal(), "\n")[3]
	other, _ := EncodePrivate(newKey(t))
	otherID := strings.Split(other.Reveal(), "\n")[1]
	for what, bad := range map[string]string{
		"nothing":       "",
		"no block":      body,
		"another type":  strings.ReplaceAll(text.Reveal(), "CLUSY ENCLAVE", "EC"),
		"two keys":      text.Reveal() + other.Reveal(),
		"a damaged key": strings.Replace(text.Reveal(), body, body[:8], 1),
		"another id":    strings.Replace(text.Reveal(), "Key-Id: "+id, otherID, 1),
		"no id":         strings.Replace(text.Reveal(), "Key-Id: "+id+"\n\n", "", 1),
	} {
		_, err := ParsePrivate(secret.Secret(bad))
		if err == nil {
			t.Errorf("%s: read", what)
		} else if strings.Contains(err.Error(), body[:12]) {
			t.Errorf("%s: the error repeats the key: %v", what, err)
		}
	}
}

func TestPrivateKeyPrintsAsDots(t *testing.T) {
	key := newKey(t)
	raw, err := key.key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", key, "box", struct{ K PrivateKey }{key})
	j, _ := json.Marshal([]PrivateKey{key})
	s := fmt.Sprintf("%v %+v %#v %s %x %d %v", key, key, key, key, key, key, struct{ K PrivateKey }{key}) + log.String() + string(j)
	for _, form := range []string{fmt.Sprintf("%x", raw[:8]), strings.Trim(fmt.Sprint(raw[:4]), "[]"), string(raw[:8])} {
		if strings.Contains(s, form) {
			t.Errorf("shows the key: %s", s)
		}
	}
}
