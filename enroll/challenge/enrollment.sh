#!/bin/bash
# bash enrollment.sh ENROLL WORK: learns one speaker's phrase into WORK.
set -eu
if [ $# != 2 ]; then
  echo "usage: bash enrollment.sh ENROLL WORK" >&2
  exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
program=$here/wakeword
if [ ! -x "$program" ]; then program=wakeword; fi

mkdir -p -- "$2"
# `exec`, so that a kill reaches the program. Warnings are shown, and kept in WORK.
exec "$program" batch challenge-enroll -- "$1" "$2" 2> >(tee -- "$2/enrollment.log" >&2)
