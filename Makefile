# Everything is built and tested from here. Go is needed; `make tools` installs the rest (Debian's packages) where it is missing.
GO      ?= go
STATIC  := CGO_ENABLED=0
BIN     := bin/rhumb
SEED    ?= 7

.PHONY: build demo test test-long race lint bench cross tools clean

build:
	$(STATIC) $(GO) build -trimpath -o $(BIN) ./cmd/rhumb

# The main job over seeded synthetic events: detections in an SSH log, and the correlation of IPs and domains in DNS answers.
demo: build
	@BIN=$(BIN) SEED=$(SEED) sh queries/demo.sh

test:
	$(GO) vet ./...
	$(GO) test -timeout 10m ./...

# The long runs: 200 kills, long fuzzing, the whole golden suite under many random schedules.
test-long:
	RHUMB_LONG=1 $(GO) test -timeout 120m ./...
	sh internal/fuzz.sh 5m

race:
	$(GO) test -race -short -timeout 20m ./...

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

# One binary without C, for other systems too.
cross:
	for os in linux darwin windows; do GOOS=$$os $(STATIC) $(GO) build -o /dev/null ./cmd/rhumb || exit 1; done

bench:
	$(GO) run ./bench

# What tests need besides Go: a C compiler for the race detector, Java and Maven for a real Kafka.
tools:
	command -v gcc >/dev/null && command -v java >/dev/null && command -v mvn >/dev/null || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq gcc libc6-dev openjdk-17-jre-headless maven; }

clean:
	rm -rf bin
