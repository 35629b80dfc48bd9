# `make` alone says what there is.
# rustup's folder is often missing from the PATH of non-login shells.
export PATH := $(PATH):$(if $(CARGO_HOME),$(CARGO_HOME),$(HOME)/.cargo)/bin

PREFIX = /usr/local
SYSCONFDIR = /etc
# Made by make build.
BINARY = target/release/wakeword

.PHONY: help demo test bench accuracy build lint setup install uninstall

help:
	@echo 'make demo   enrol a synthetic voice and find its phrase in a minute of living room'
	@echo 'make test   run all tests'
	@echo 'make build  build target/release/wakeword'
	@echo 'make bench  measure it beside other systems, and write docs/performance.md'
	@echo 'make accuracy DATA=FOLDER  measure error rates on development recordings, and write docs/accuracy.md'
	@echo 'make lint   check format, spelling, licences, scripts and clippy'
	@echo 'Each installs what is missing, and asks before it uses sudo.'
	@echo 'make install and make uninstall  for the whole machine; PREFIX is $(PREFIX), DESTDIR is "$(DESTDIR)"'

demo: build
	@cargo run --release --locked --quiet --example demo

test:
	@.ci/setup test
	cargo test --release --locked

bench:
	@.ci/setup test
	@.ci/setup lint
	python3 -B benches/peers/run.py

# Where the evidence is kept.
WORK = target/accuracy

accuracy: build
	@test -n '$(DATA)' || { echo 'make accuracy needs DATA=FOLDER; benches/accuracy.py says what it holds' >&2; exit 2; }
	python3 -B benches/accuracy.py '$(DATA)' '$(WORK)' --markdown docs/accuracy.md

build: setup
	cargo build --release --locked

lint:
	.ci/lint

setup:
	@.ci/setup

# Folders, each under DESTDIR.
bin = $(PREFIX)/bin
lib = $(PREFIX)/lib
share = $(PREFIX)/share
doc = $(share)/doc/wakeword
man = $(share)/man/man1
# The system bus reads policies below no other prefix than its own.
policies = $(SYSCONFDIR)/dbus-1/system.d
interfaces = $(wildcard systemd/*.xml)

# Installs $(1), with its folders filled in, as $(2).
fill = install -d '$(DESTDIR)$(dir $(2))' && sed 's|@bindir@|$(bin)|g; s|@docdir@|$(doc)|g' $(1) >'$(DESTDIR)$(2)' && chmod 644 '$(DESTDIR)$(2)'
# Installs $(1) as $(2).
copy = install -D -m 644 $(1) '$(DESTDIR)$(2)'
# Installs the completions for the shell $(1) as $(2).
complete = install -d '$(DESTDIR)$(dir $(2))' && '$(BINARY)' completions $(1) >'$(DESTDIR)$(2)' && chmod 644 '$(DESTDIR)$(2)'

install:
	@test -x '$(BINARY)' || { echo '$(BINARY) is missing: run make build first, not as root' >&2; exit 1; }
	install -D -m 755 '$(BINARY)' '$(DESTDIR)$(bin)/wakeword'
	$(call fill,systemd/user/wakeword.service,$(lib)/systemd/user/wakeword.service)
	$(call fill,systemd/system/wakeword.service,$(lib)/systemd/system/wakeword.service)
	$(call fill,systemd/user/wakeword-wyoming.service,$(lib)/systemd/user/wakeword-wyoming.service)
	$(call fill,systemd/system/wakeword-wyoming.service,$(lib)/systemd/system/wakeword-wyoming.service)
	$(call copy,systemd/system/sysusers.conf,$(lib)/sysusers.d/wakeword.conf)
	$(call copy,systemd/user/org.wakeword.Wakeword1.service,$(share)/dbus-1/services/org.wakeword.Wakeword1.service)
	$(call copy,systemd/system/org.wakeword.Wakeword1.service,$(share)/dbus-1/system-services/org.wakeword.Wakeword1.service)
	$(call copy,systemd/system/org.wakeword.Wakeword1.conf,$(policies)/org.wakeword.Wakeword1.conf)
	for file in $(interfaces); do $(call copy,"$$file",$(share)/dbus-1/interfaces/)"$${file##*/}" || exit; done
	$(call complete,bash,$(share)/bash-completion/completions/wakeword)
	$(call complete,zsh,$(share)/zsh/site-functions/_wakeword)
	$(call complete,fish,$(share)/fish/vendor_completions.d/wakeword.fish)
	install -d '$(DESTDIR)$(man)' && '$(BINARY)' man '$(DESTDIR)$(man)' && chmod 644 '$(DESTDIR)$(man)'/wakeword*.1
	for file in models/small/*; do $(call copy,"$$file",$(share)/wakeword/models/small/)"$${file##*/}" || exit; done
	install -d '$(DESTDIR)$(doc)/models' '$(DESTDIR)$(doc)/docs'
	install -m 644 README.md CHANGELOG.md ARCHITECTURE.md config.example.toml LICENSE-APACHE LICENSE-MIT '$(DESTDIR)$(doc)'
	install -m 644 docs/* '$(DESTDIR)$(doc)/docs'
	install -m 644 models/licences/* '$(DESTDIR)$(doc)/models'

uninstall:
	rm -f '$(DESTDIR)$(bin)/wakeword'
	rm -f '$(DESTDIR)$(lib)/systemd/user/wakeword.service' '$(DESTDIR)$(lib)/systemd/system/wakeword.service'
	rm -f '$(DESTDIR)$(lib)/systemd/user/wakeword-wyoming.service'
	rm -f '$(DESTDIR)$(lib)/systemd/system/wakeword-wyoming.service'
	rm -f '$(DESTDIR)$(lib)/sysusers.d/wakeword.conf'
	rm -f '$(DESTDIR)$(share)/dbus-1/services/org.wakeword.Wakeword1.service'
	rm -f '$(DESTDIR)$(share)/dbus-1/system-services/org.wakeword.Wakeword1.service'
	rm -f '$(DESTDIR)$(policies)/org.wakeword.Wakeword1.conf'
	for file in $(interfaces); do rm -f '$(DESTDIR)$(share)/dbus-1/interfaces/'"$${file##*/}"; done
	rm -f '$(DESTDIR)$(share)/bash-completion/completions/wakeword'
	rm -f '$(DESTDIR)$(share)/zsh/site-functions/_wakeword'
	rm -f '$(DESTDIR)$(share)/fish/vendor_completions.d/wakeword.fish'
	rm -f '$(DESTDIR)$(man)'/wakeword.1 '$(DESTDIR)$(man)'/wakeword-*.1
	rm -rf '$(DESTDIR)$(share)/wakeword' '$(DESTDIR)$(doc)'
