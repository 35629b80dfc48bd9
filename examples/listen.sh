#!/bin/sh
# Says who spoke, whenever a phrase is detected, by nothing but busctl: a beginning for scripts of your own.
busctl --user --json=short monitor \
  --match="type='signal',interface='org.wakeword.Wakeword1.Daemon',member='Detected'" |
  while read -r line; do
    # The first lines may be the bus's own.
    case $line in *'"member":"Detected"'*) ;; *) continue ;; esac
    user=$(printf '%s' "$line" | sed -n 's/.*"user":{"type":"s","data":"\([^"]*\)"}.*/\1/p')
    echo "${user:-somebody} spoke"
  done
