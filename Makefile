# make test     install what is needed and run everything that CI runs
# make kill     the kill test at length: 200 demos, each killed at random points
# make fuzz     every fuzz target for 60 s (FUZZ=60s)
# make bench    the benchmarks
# make console  build the console again, into internal/web/dist
# make browser  try the console in a real browser, with screenshots in artifacts/console
# make pictures draw the pictures in docs/pictures again
# make man      man pages and completions of bash, zsh and fish, into artifacts/
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
FUZZ ?= 60s
KILLS ?= 200
# (audit holds no statements: its kinds are tested, not covered)
CORE := access budget figure forecast grid ledger merkle plan problem secret workload

.SILENT: need style unit fuzz fuzzshort console-current browser
.PHONY: test need style unit fuzzshort fuzz kill bench generate pictures man console console-current browser

test: need style console-current unit browser fuzzshort

# The race detector wants a C compiler, the console Node, its test a browser, and
# the store a PostgreSQL.
need:
	install() { export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qq -y --no-install-recommends "$$@" >/dev/null; }
	command -v go >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/dl" >&2; exit 1; }
	command -v gcc >/dev/null || install gcc libc6-dev
	command -v npm >/dev/null || install nodejs npm
	node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || a == 20 && b >= 19 ? 0 : 1)' || { echo "Node 20.19 or newer is needed: https://nodejs.org" >&2; exit 1; }
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || install postgresql
	command -v chromium >/dev/null || install chromium fonts-dejavu-core
	go mod download
	cd web && npm ci --no-audit --no-fund --loglevel=error

style:
	bad=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$bad" ] || { echo "gofmt would change: $$bad" >&2; exit 1; }
	go vet ./...
	go mod tidy -diff
	go mod verify

# The core starts no goroutine (layers_test.go), so the race detector has nothing
# to find there but where its caller brings the workers: those tests run under it,
# the others without it and with their coverage. Core rooms hold what everything
# else stands on: nine tenths of each is run.
unit:
	mkdir -p artifacts
	pure=$$(go list $(CORE:%=./internal/%/...))
	go test -race -timeout 20m $$(go list ./... | grep -vxF "$$pure")
	go test -race -run Workers ./internal/plan/...
	go test -cover $$pure | tee artifacts/core.log
	for room in $(CORE); do
	  got=$$(awk -v room="clusy.io/clusy/internal/$$room" '$$2 == room {sub(/.*coverage: /, ""); print $$1+0}' artifacts/core.log)
	  awk -v g=$$got 'BEGIN {exit !(g >= 90)}' || { echo "room $$room is covered to $$got %, want 90" >&2; exit 1; }
	done

# The console's client is made from the API's own description, and its build is
# committed: go install alone gives the console.
console:
	go run ./cmd/clusy schema api > web/openapi.json
	cd web
	npm run --silent api
	npm run --silent check
	npm test --silent
	npm run --silent build

console-current:
	rm -rf artifacts/was && mkdir -p artifacts/was
	cp -r internal/web/dist web/openapi.json web/src/lib/api.gen.ts artifacts/was/
	$(MAKE) --no-print-directory console
	for f in internal/web/dist web/openapi.json web/src/lib/api.gen.ts; do
	  diff -rq artifacts/was/$$(basename $$f) $$f || { echo "$$f was not what its sources make: it has been made again; commit it" >&2; exit 1; }
	done

browser:
	mkdir -p artifacts/console
	go build -o artifacts/clusy ./cmd/clusy
	cd web && CLUSY_BIN=$(CURDIR)/artifacts/clusy ARTIFACTS=$(CURDIR)/artifacts/console npm run --silent e2e

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
