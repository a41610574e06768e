# Every command that people and CI run. `make` alone lists them.

CARGO ?= cargo
OUT ?= demo-out
FUZZ_SECONDS ?= 30
FUZZ_TARGETS := line json traceparent server_timing reader report claims
# A toolchain that cargo-fuzz can use; fuzzing needs a nightly one.
FUZZ_CARGO ?= $(CARGO) +nightly

# The interpreter of the tools that build and check the Python package.
PYTHON ?= python3
# Where `make wheel` puts the wheel, and how it is compiled.
WHEEL_DIR ?= target/wheels
WHEEL_PROFILE ?= release
PYTHON_CODE := python benches/python examples tests
TOOLS := $(or $(CARGO_TARGET_DIR),target)/python-tools

.DEFAULT_GOAL := help
.PHONY: help demo test test-python python-lint wheel sdist lint fmt docs reference bench bench-check bench-python bench-reader fuzz fuzz-check deny test-export test-report test-uvicorn test-vllm clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

demo: ## reproduce the stall and show the fix (OUT=DIR for the logs, ARGS=... for the demo's options)
	$(CARGO) run --locked --profile demo --bin firstbyte -- demo --out $(OUT) $(ARGS)

test: lint docs ## everything that must pass before a change lands
	$(CARGO) test --locked --workspace --all-features
	$(MAKE) bench-check fuzz-check
	$(MAKE) python-lint test-python

test-python: ## the wheel, tested in a fresh environment of every CPython from 3.10 that is there
	python/run-tests

python-lint: $(TOOLS)/done ## formatting and lints of all Python
	$(TOOLS)/bin/ruff check $(PYTHON_CODE)
	$(TOOLS)/bin/ruff format --check $(PYTHON_CODE)

# An older wheel may have another platform tag, and then pip refuses to install both.
wheel: $(TOOLS)/done ## build the Python wheel into WHEEL_DIR, in the place of older ones
	rm -f $(WHEEL_DIR)/firstbyte-*.whl
	$(TOOLS)/bin/maturin build --locked --profile $(WHEEL_PROFILE) --out $(WHEEL_DIR) -m python/Cargo.toml

sdist: $(TOOLS)/done ## build the Python source distribution into WHEEL_DIR
	$(TOOLS)/bin/maturin sdist -m python/Cargo.toml --out $(WHEEL_DIR)

$(TOOLS)/done: python/requirements/build.txt python/requirements/lint.txt
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	touch $@

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	cd benches && $(CARGO) fmt --check
	cd fuzz && $(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings

fmt: ## format all code
	$(CARGO) fmt --all
	cd benches && $(CARGO) fmt
	cd fuzz && $(CARGO) fmt

docs: ## API documentation, warnings are errors
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --locked --workspace --no-deps --all-features

reference: ## write the tables of docs/wire.md and docs/reader.md anew from what they describe
	FIRSTBYTE_WRITE_REFERENCE=1 $(CARGO) test --locked -p firstbyte-core --test reference
	FIRSTBYTE_WRITE_REFERENCE=1 $(CARGO) test --locked -p firstbyte-analysis --test columns

# The peers cost minutes to build, so this is a workspace of its own with its own folder.
bench: ## measure against the peers; writes target/bench/*.json
	cd benches && CARGO_TARGET_DIR=../target/bench-build $(CARGO) bench --locked

bench-python: ## measure the Python package against its peers; writes target/bench/python-*.json
	$(MAKE) wheel WHEEL_DIR=target/bench-wheels
	$(CARGO) build --locked --release --bin firstbyte
	$(PYTHON) -m venv --clear target/bench-venv
	target/bench-venv/bin/pip install --quiet --disable-pip-version-check -r benches/python/requirements.txt
	target/bench-venv/bin/pip install --quiet --no-index --no-deps target/bench-wheels/*.whl
	target/bench-venv/bin/python benches/python/asgi.py
	target/bench-venv/bin/python benches/python/clients.py
	target/bench-venv/bin/python benches/python/busy_loop.py target/release/firstbyte

bench-reader: ## measure the reader of logs against grep, ripgrep, angle-grinder, DuckDB and Polars; writes target/bench/reader.json
	$(CARGO) build --locked --release --bin firstbyte
	$(CARGO) install --quiet --locked --root target/bench-peers ripgrep@15.2.0 ag@0.19.5
	$(PYTHON) -m venv --clear target/bench-venv
	target/bench-venv/bin/pip install --quiet --disable-pip-version-check -r benches/python/reader.txt
	target/bench-venv/bin/python benches/python/reader.py target/release/firstbyte target/bench-peers/bin

bench-check: ## do the benchmarks compile, and do their own tests pass
	cd benches && CARGO_TARGET_DIR=../target/bench-check $(CARGO) check --locked --benches
	cd benches && CARGO_TARGET_DIR=../target/bench-check $(CARGO) test --locked --lib

fuzz: ## run each fuzz target for FUZZ_SECONDS
	$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz
	for target in $(FUZZ_TARGETS); do \
		(cd fuzz && $(FUZZ_CARGO) fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS)) || exit 1; \
	done

fuzz-check: ## do the fuzz targets compile
	cd fuzz && CARGO_TARGET_DIR=../target/fuzz $(CARGO) check --locked

deny: ## licences, advisories and banned crates
	$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check

test-export: ## opt-in: exports and firstbyte.read against DuckDB, Polars, PyArrow, pandas and OpenTelemetry
	tests/export/run

test-report: ## opt-in: `firstbyte report` in a real Chromium; screenshots in target/report
	tests/report/run

test-uvicorn: ## opt-in: `firstbyte call` against a real uvicorn + FastAPI server
	tests/uvicorn/run

test-vllm: ## opt-in, about 5 GB: `firstbyte call` against a real vLLM on the CPU
	tests/vllm/run

clean: ## remove everything that was built
	rm -rf target fuzz/target benches/target demo-out
