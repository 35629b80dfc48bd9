# `make` alone says what there is.
# rustup's folder is often missing from the PATH of non-login shells.
export PATH := $(PATH):$(if $(CARGO_HOME),$(CARGO_HOME),$(HOME)/.cargo)/bin

.PHONY: help demo test build lint setup

help:
	@echo 'make demo   enrol a synthetic voice and find its phrase in a minute of living room'
	@echo 'make test   run all tests'
	@echo 'make build  build target/release/wakeword'
	@echo 'make lint   check format, spelling, licences, scripts and clippy'
	@echo 'Each installs what is missing, and asks before it uses sudo.'

demo: build
	@cargo run --release --locked --quiet --example demo

test:
	@.ci/setup test
	cargo test --release --locked

build: setup
	cargo build --release --locked

lint:
	.ci/lint

setup:
	@.ci/setup
