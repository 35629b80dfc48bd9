#!/bin/sh
# Runs a user's service manager for the folder HOME_FOLDER, with the program installed below INSTALLED as if it
# were this machine's: in a mount namespace of its own, and a control group that the manager takes for the root.
# Ends with status 77 where the machine does not let it.
set -u
if [ -z "${GROUP-}" ]; then
  GROUPS_ROOT=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) || exit 77
  GROUP=$GROUPS_ROOT/wakeword-test.$$
  unshare --mount --cgroup true || exit 77
  mkdir "$GROUP" && echo $$ >"$GROUP/cgroup.procs" || exit 77
  # Whoever stays behind in the group keeps it.
  (echo 0 >"$GROUPS_ROOT/cgroup.procs"; while kill -0 $$ 2>/dev/null; do sleep 1; done
    find "$GROUP" -depth -type d -exec rmdir {} +) &
  export GROUP
  exec unshare --mount --cgroup "$0"
fi
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 77
# Units with PrivateTmp= do not see /tmp, where the folder is.
mount -t tmpfs tmpfs /mnt && mkdir /mnt/home && mount --bind "$HOME_FOLDER" /mnt/home || exit 77
mount --bind "$INSTALLED/usr/local" /usr/local || exit 77
# What says that systemd is the first process; the manager refuses to run without.
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit 77
export HOME=/mnt/home/home XDG_RUNTIME_DIR=/mnt/home/run
export DBUS_SESSION_BUS_ADDRESS=unix:path=/mnt/home/run/bus
# Left by who logs a user in: what units see in place of what they may not.
hidden=$XDG_RUNTIME_DIR/systemd/inaccessible
mkdir -p "$hidden/dir" /run/systemd && touch "$hidden/reg" && mkfifo "$hidden/fifo" && cp -a "$hidden" /run/systemd/
for manager in /usr/lib/systemd/systemd /lib/systemd/systemd; do
  [ ! -x "$manager" ] || exec "$manager" --user --log-target=console
done
exit 77
