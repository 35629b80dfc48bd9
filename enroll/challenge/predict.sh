#!/bin/bash
# bash predict.sh TEST WORK PREDICTIONS: decides on every file in TEST with what enrollment.sh left in WORK.
set -eu
if [ $# != 3 ]; then
  echo "usage: bash predict.sh TEST WORK PREDICTIONS" >&2
  exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
program=$here/wakeword
if [ ! -x "$program" ]; then program=wakeword; fi

mkdir -p -- "$2"
# `exec`, so that a kill reaches the program. Warnings are shown, and kept in WORK.
exec "$program" batch challenge-predict -- "$1" "$2" "$3" 2> >(tee -- "$2/predict.log" >&2)
