# Everything that CONTRIBUTING.md tells to run. `make help` lists it.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 60s
ROUNDS ?= 50
HISTORIES ?= 10m
TXNS ?= 30m
SEED ?= 0
PARTITIONS ?= 10000

.DEFAULT_GOAL := help
.PHONY: help build test race fuzz lint compat bench torture scale

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the broker, ./blumfeld
	go build -o blumfeld .

test: ## every test, with Go alone
	go test ./...

race: ## every test under the race detector
	go test -race ./...

fuzz: ## each fuzz target for FUZZTIME=60s
	@integration/fuzz $(FUZZTIME)

lint: ## gofmt, go vet, staticcheck; also vets for darwin and arm64
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt:" $$unformatted; exit 1; }
	go vet ./...
	GOOS=darwin GOARCH=arm64 go vet ./...
	GOOS=linux GOARCH=arm64 go vet ./...
	GOOS=darwin GOARCH=arm64 go build -o /dev/null .
	GOOS=linux GOARCH=arm64 go build -o /dev/null .
	go run $(STATICCHECK) ./...
	cd compat/go && go vet ./... && go run $(STATICCHECK) ./... # a module of its own

compat: ## real clients; QUICK=1 for a selection, COMPAT_ADDR=host:port for another broker, CLIENTS="kcat …"
	go run ./compat $(CLIENTS)

bench: ## Blumfeld and Apache Kafka in turn, in under 30 minutes (needs java and mvn); ROWS=groups,start-up for some; tables in integration/bench/RESULTS.md and README.md
	go run ./integration/bench -rows "$(ROWS)" -out integration/bench/RESULTS.md -readme README.md

scale: ## PARTITIONS=10000 on one broker: memory, open files, mappings, start and stop; Linux
	go test ./integration -count=1 -timeout 15m -v -run '^TestManyPartitions$$' -partitions $(PARTITIONS)

torture: ## random histories of a log for HISTORIES=10m; kill -9 in the middle of writes, rebalances and commits, ROUNDS=50 times each; transactions under faults for TXNS=30m; SEED=n repeats the choices
	go test ./logstore -count=1 -timeout 90m -v -run '^TestHistories$$' -for $(HISTORIES) -seed $(SEED)
	go test ./integration -count=1 -timeout 90m -v -run '^TestKilled' -rounds $(ROUNDS) -seed $(SEED)
	go test ./integration -count=1 -timeout 6h -v -run '^TestTransactions$$' -for $(TXNS) -seed $(SEED)
