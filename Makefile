.DEFAULT_GOAL := help
.PHONY: help setup engine images demo demo-stop test test-unit lint quality molecule molecule-all soak bench bench-rollout bench-backup bench-ingest clean
SHELL := /bin/bash
bed := tests/testbed

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv and .collections
	@$(bed)/setup.sh

engine: ## Find a Docker engine, or install and start one
	@$(bed)/engine.sh

images: engine ## Build the host images and start the package cache
	@$(bed)/images.sh
	@$(bed)/cache.sh

demo: setup images ## Bring a bare container to a running service on https://localhost:8443
	@$(bed)/demo.sh

demo-stop: ## Remove the demo host
	@$(bed)/demo.sh stop

test: ## Gates, unit tests, all scenarios but those of molecule/soak.txt
	@$(bed)/suite.sh

test-unit: setup ## Unit tests
	@$(bed)/unit.sh

lint: setup ## The quick gates: ansible-lint, yamllint, ruff, mypy
	@tests/quality/run.sh ansible_lint yamllint ruff mypy

quality: setup ## All gates, ansible-test and galaxy-importer among them
	@tests/quality/run.sh

molecule: setup images ## One scenario: make molecule SCENARIO=nginx
	@$(bed)/molecule.sh $(SCENARIO)

molecule-all: setup images ## The scenarios of make test, two at a time
	@$(bed)/scenarios.sh

soak: setup images ## What takes hours: five upgrades in a row, a kill at each step, ten quiet minutes, 30 days of backups
	@export SOAK=1 JOBS=1 MINUTES=90; failed=0; \
	$(bed)/scenarios.sh upgrade overlap fleet migrations backup operations pgbouncer \
		stack_debian12 split_debian13 systems konvertit dealscout knitter fastvue fileallocator app neighbours || failed=1; \
	for debian in debian12 debian13; do \
		echo "on $$debian:"; \
		DEBIAN=$$debian $(bed)/scenarios.sh nginx postgres redis ufw logrotate modules || failed=1; \
	done; \
	exit $$failed

bench: setup images ## Seconds from bare to serving, beside a plain shell script
	@tests/bench/converge.sh

bench-rollout: setup images ## Failed requests of a rollout, beside a plain restart
	@tests/bench/rollout.sh

bench-backup: setup images ## Seconds and bytes of a backup and a restore, beside pg_dump with gzip
	@tests/bench/backup.sh

bench-ingest: setup images ## Latency of 100 POSTs a second to three instances of File Allocator on one host
	@tests/bench/ingest.sh

clean: ## Remove hosts, images' cache, environments and build results
	@$(bed)/clean.sh
