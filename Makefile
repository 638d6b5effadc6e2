# Thin: each target does its own set-up. Build products go outside the clone, so that a second clone
# builds warm; override with CARGO_TARGET_DIR.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/causeway/target
# What would spare the next build time costs the first one an eighth (`causal`: 90 CPU seconds instead of 80); to edit, call cargo itself.
export CARGO_INCREMENTAL ?= 0
SETUP = infra/packaging/setup.sh

.PHONY: demo test test-faults lint docs bench s3 study-grn study-iv study-dp

demo:
	@$(SETUP) build
	@infra/packaging/demo.sh

test:
	@$(SETUP) build
	@infra/packaging/test.sh

# Kills, stops, cuts off and starves workers, 20 rounds of each; FAULT_ROUNDS=n for others. `make test` does one.
test-faults:
	@$(SETUP) build
	@infra/packaging/faults.sh

lint:
	@$(SETUP) build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features causeway-model/contract-tests,causeway/failpoints -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Rewrites docs/operators, docs/cli.md and docs/configuration.md from the code.
docs:
	@$(SETUP) build
	cargo run --quiet -p causeway -- reference

# The product on a private S3 server.
s3:
	@$(SETUP) build bench
	cargo build -p causeway
	@tests/s3/run.sh

bench:
	@$(SETUP) build bench
	@tests/bench/run.sh

# Prints how near grn_dropout comes to known networks, as kept in tests/bench/results/study_grn.md.
study-grn:
	@$(SETUP) build
	@cargo run --quiet --release -p causeway-causal --example study_grn -- tests/data/causal/curated

# Prints bias and coverage of iv_ate on simulated studies, as kept in tests/bench/results/study_iv.md, and fails if a bar is not kept.
study-iv:
	@$(SETUP) build
	@cargo run --quiet --release -p causeway-causal --example study_iv

# Prints errors, coverage and size of private survival curves, as kept in tests/bench/results/study_dp.md, and fails if a bar is not kept.
study-dp:
	@$(SETUP) build
	@cargo run --quiet --release -p causeway-privacy --example study_dp -- tests/data
