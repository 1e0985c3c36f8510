# What people and CI call. The work is done by cargo, by npm and by the scripts in deploy/local/.
#
#   PARLANCE_PORT=8090   another port for the stack's front door
#   PROFILE=release      optimised binaries for run and up
#   TEST=name            only the tests whose name holds this (test-rust, test-e2e)
#   E2E=name             only this file of the end-to-end tests

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LOCAL := deploy/local
CARGO ?= cargo
TEST ?=
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help
help: ## Shows what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run up down
run: ## Starts Redis, Postgres, two gateways, a worker and nginx here; Ctrl-C stops all
	@$(LOCAL)/run.sh

up: ## The same in the background
	@$(LOCAL)/up.sh

down: ## Stops what `make up` started; the data stay
	@$(LOCAL)/down.sh

# --- Checks and tests ---------------------------------------------------------------------------------------------

.PHONY: test
test: check ## Everything that CI does: check, the Rust tests, the end-to-end tests
	@$(LOCAL)/install.sh redis postgres nginx curl node python chromium prometheus haproxy openssl
	@$(LOCAL)/with-databases.sh $(MAKE) --no-print-directory rust-tests deploy-tests e2e-tests

.PHONY: test-rust
test-rust: ## The Rust tests, with a Redis and a Postgres of their own
	@$(LOCAL)/install.sh linker redis postgres
	@$(LOCAL)/with-databases.sh $(MAKE) --no-print-directory rust-tests

.PHONY: test-e2e
test-e2e: ## The end-to-end tests: real Socket.IO clients and a browser against real processes
	@$(LOCAL)/install.sh linker redis postgres nginx node python chromium prometheus haproxy
	@$(LOCAL)/with-databases.sh $(MAKE) --no-print-directory e2e-tests

.PHONY: check-deploy
check-deploy: ## What is deployed: compose, Kubernetes, nginx, systemd, alerts, dashboards, workflows
	@$(LOCAL)/install.sh linker nginx node python prometheus openssl
	@$(MAKE) --no-print-directory deploy-tests

.PHONY: k6
k6: ## Loads a running stack: SCENARIO=smoke (loadtest/README.md), TARGET=http://…
	@$(LOCAL)/install.sh python
	@$(MAKE) --no-print-directory e2e/.venv/installed
	@SCENARIO=$(or $(SCENARIO),smoke) TARGET=$(TARGET) loadtest/k6.sh

.PHONY: measure-storage
measure-storage: ## What a socket, a message and a user take in memory and on disk; takes minutes
	@$(LOCAL)/install.sh linker redis postgres node
	@$(LOCAL)/with-databases.sh $(MAKE) --no-print-directory storage-measurement

.PHONY: bench
bench: bench-delivery bench-presence bench-floods ## What a delivery, presence and a flood cost; takes many minutes and a release build

.PHONY: bench-delivery bench-presence
bench-delivery: ## What a delivery costs, with the lane and without it
	@$(LOCAL)/install.sh linker redis postgres
	@$(LOCAL)/with-databases.sh $(CARGO) bench --locked -p parlance-gateway --bench delivery

bench-presence: ## What presence costs with 100,000 sessions, against the plain way, and when a gateway dies
	@$(LOCAL)/install.sh linker redis postgres
	@$(LOCAL)/with-databases.sh $(CARGO) bench --locked -p parlance-gateway --bench presence

.PHONY: bench-floods
bench-floods: ## What others notice of a flood, for each sort of flood; takes minutes and a release build
	@$(LOCAL)/install.sh linker redis postgres
	@$(LOCAL)/with-databases.sh $(CARGO) bench --locked -p parlance-gateway --bench floods

.PHONY: api-fuzz
api-fuzz: ## Many requests to the REST API, made from its document; takes many minutes
	@$(LOCAL)/install.sh linker redis postgres nginx node python
	@PARLANCE_API_EXAMPLES=$${PARLANCE_API_EXAMPLES:-300} $(LOCAL)/with-databases.sh \
	  $(MAKE) --no-print-directory e2e-tests E2E=schemathesis

.PHONY: fuzz
fuzz: ## Mangled packets, publications, entries and dialect files for FUZZ_CASES cases each; takes many minutes
	@$(LOCAL)/install.sh linker redis postgres
	@PROPTEST_CASES=$${FUZZ_CASES:-100000} $(LOCAL)/with-databases.sh $(CARGO) test --locked \
	  -p parlance-domain -p parlance-gateway -p parlance-worker -- panic mangled whatever_one_client_sends

.PHONY: check
check: check-linker check-format check-lints check-docs check-dependencies check-scripts ## Formatting, lints, documentation, dependencies, scripts

.PHONY: check-linker check-format check-lints check-docs check-dependencies check-scripts
check-linker:
	@$(LOCAL)/install.sh linker

check-format:
	$(CARGO) fmt --all --check

check-lints:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

check-docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

check-dependencies:
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --workspace check; \
	else echo "skipped: cargo-deny is not installed (cargo install cargo-deny)"; fi

SCRIPTS := $(LOCAL)/*.sh .ci/run deploy/docker/*.sh deploy/nginx/*.sh k8s/components/monitoring/*.sh loadtest/*.sh

check-scripts:
	@for script in $(SCRIPTS); do bash -n "$$script"; done
	@if command -v shellcheck >/dev/null; then shellcheck --severity=warning $(SCRIPTS); \
	else echo "skipped: shellcheck is not installed (apt-get install shellcheck)"; fi

# Below with-databases.sh only: they need PARLANCE_TEST_REDIS_URL and PARLANCE_TEST_DATABASE_URL.
.PHONY: rust-tests deploy-tests e2e-tests storage-measurement
rust-tests: nextest
	$(CARGO) nextest run --locked --workspace $(TEST)
	$(CARGO) test --locked --workspace --doc $(TEST)

# Each test is a process of its own: several look at the metrics of theirs.
.PHONY: nextest
nextest:
	@$(CARGO) nextest --version >/dev/null 2>&1 || { \
	  echo "Missing here: cargo-nextest. Installing now: cargo install --locked cargo-nextest"; \
	  $(CARGO) install --locked cargo-nextest; }

# The only one of these that needs no databases.
deploy-tests: e2e/node_modules/.package-lock.json e2e/.venv/installed binaries
	cd e2e && node --test --test-reporter=spec $(if $(TEST),--test-name-pattern='$(TEST)') checks/*.test.js

storage-measurement: e2e/node_modules/.package-lock.json binaries
	cd e2e && node measure/storage.js

.PHONY: binaries
binaries:
	$(CARGO) build --locked -p parlance-gateway -p parlance-worker

e2e-tests: e2e/node_modules/.package-lock.json e2e/.venv/installed binaries
	cd e2e && node --test --test-reporter=spec --test-concurrency=1 $(if $(TEST),--test-name-pattern='$(TEST)') test/$(or $(E2E),*).test.js

e2e/node_modules/.package-lock.json: e2e/package.json e2e/package-lock.json
	cd e2e && npm ci --no-audit --no-fund
	@touch $@

e2e/.venv/installed: e2e/requirements.txt
	python3 -m venv e2e/.venv
	e2e/.venv/bin/pip install --quiet --disable-pip-version-check -r e2e/requirements.txt
	@touch $@
