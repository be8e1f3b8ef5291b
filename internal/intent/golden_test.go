package intent

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what is rendered to testdata")

// noon is the time at which every test here reads its files.
var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// Each file in testdata/errors is a mistake, and the text beside it is what its
// author is shown.
func TestRenderedErrors(t *testing.T) {
	files, _ := filepath.Glob("testdata/errors/*.yaml")
	more, _ := filepath.Glob("testdata/errors/*.json")
	if files = append(files, more...); len(files) < 40 {
		t.Fatalf("%d files", len(files))
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, perr := Parse(src, name, noon)
			if perr == nil {
				t.Fatal("accepted")
			}
			got := Render(perr, false)
			golden := strings.TrimSuffix(file, filepath.Ext(file)) + ".txt"
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
