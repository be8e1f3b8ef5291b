# make test     install what is needed and run everything that CI runs
# make kill     the kill test at length: 200 demos, each killed at random points
# make fuzz     every fuzz target for 60 s (FUZZ=60s)
# make bench    the benchmarks
# make pictures draw the pictures in docs/pictures again
# make man      man pages and completions of bash, zsh and fish, into artifacts/
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
FUZZ ?= 60s
KILLS ?= 200
# (audit holds no statements: its kinds are tested, not covered)
CORE := access figure forecast grid ledger merkle plan problem secret workload

.SILENT: need style coverage fuzz fuzzshort
.PHONY: test need style unit coverage fuzzshort fuzz kill bench generate pictures man

test: need style unit coverage fuzzshort

# The race detector wants a C compiler; nothing else is needed beside Go.
need:
	command -v go >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/dl" >&2; exit 1; }
	command -v gcc >/dev/null || { export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qq -y --no-install-recommends gcc libc6-dev; }
	go mod download

style:
	bad=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$bad" ] || { echo "gofmt would change: $$bad" >&2; exit 1; }
	go vet ./...
	go mod tidy -diff
	go mod verify

unit:
	go test -race -timeout 20m ./...

# Core rooms hold what everything else stands on: nine tenths of each is run.
coverage:
	mkdir -p artifacts
	for room in $(CORE); do
	  go test -coverprofile=artifacts/$$room.out ./internal/$$room >/dev/null
	  got=$$(go tool cover -func=artifacts/$$room.out | awk '/^total:/ {print $$3+0}')
	  echo "coverage $$room $$got %"
	  awk -v g=$$got 'BEGIN {exit !(g >= 90)}' || { echo "room $$room is covered to $$got %, want 90" >&2; exit 1; }
	done

fuzzshort:
	$(MAKE) --no-print-directory fuzz FUZZ=5s

fuzz:
	mkdir -p artifacts
	for pkg in $$(go list ./...); do
	  dir=$${pkg#clusy.io/clusy}; dir=.$$dir
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go 2>/dev/null | sed 's/func //'); do
	    echo "fuzz $$pkg $$target $(FUZZ)"
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ) $$pkg > artifacts/fuzz.log 2>&1 || {
	      # At the end of its time the fuzzer sometimes fails on its own clock
	      # (context deadline exceeded) without any failing input: once more.
	      if grep -q 'context deadline exceeded' artifacts/fuzz.log && ! grep -q 'Failing input' artifacts/fuzz.log; then
	        go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ) $$pkg
	      else
	        cat artifacts/fuzz.log; exit 1
	      fi
	    }
	    tail -n 1 artifacts/fuzz.log
	  done
	done

kill:
	CLUSY_KILLS=$(KILLS) go test -run TestKill -count 1 -timeout 60m -v ./cmd/clusy | grep -v '^=== '

bench:
	go test -run '^$$' -bench . -benchtime 2s ./internal/plan ./internal/store

# Generated code is committed; this makes it again.
generate:
	cd internal/store && go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

# A test compares them with what is drawn; look at them before you commit.
pictures:
	go test -count=1 -run TestReadmePicture ./cmd/clusy -update

man:
	mkdir -p artifacts/man/man1 artifacts/completion
	go run ./cmd/clusy man --dir artifacts/man/man1
	for shell in bash zsh fish; do go run ./cmd/clusy completion $$shell > artifacts/completion/clusy.$$shell; done
