#!/bin/bash
# bash initialize.sh: once, before all speakers. Leaves the program beside this script.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repository=$here/../..

# A program shipped with the scripts.
if "$here/wakeword" --version >/dev/null 2>&1; then exit 0; fi

if ! program=$(command -v wakeword); then
  if [ ! -f "$repository/Cargo.toml" ]; then
    echo "initialize.sh: no wakeword program in $here or on PATH, and no source to build it from" >&2
    exit 1
  fi
  # rustup's folder is often missing from the PATH of non-login shells.
  PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
  "$repository/.ci/setup" >&2
  cargo build --release --locked --manifest-path "$repository/Cargo.toml" --target-dir "$repository/target" >&2
  program=$repository/target/release/wakeword
fi
# The program may have moved since an earlier link.
rm -f -- "$here/wakeword"
ln -s -- "$(realpath -- "$program")" "$here/wakeword"
