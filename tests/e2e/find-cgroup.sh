#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The cgroup2 root is found on v2, hybrid and unusual systems. Nothing is attached: `weft doctor` says what would be.
. "$(dirname "$0")/lib.sh"

root=$(cgroup2_root)
assert_match "$(weft doctor || true)" "$root" "doctor names the cgroup2 mount"
# The same where cgroup2 is mounted elsewhere: a mount namespace in which the usual places are empty.
found=$(unshare --mount --propagation private bash -c '
	set -e
	mkdir -p "$1/elsewhere" && mount -t cgroup2 none "$1/elsewhere"
	umount -l "$2"
	[ "$2" = /sys/fs/cgroup ] || umount -l /sys/fs/cgroup
	"$3" doctor --instance "$4" || true' - "$DIR" "$root" "$WEFT" "$INSTANCE") || skip "cannot mount cgroup2 in a mount namespace"
assert_match "$found" "$DIR/elsewhere" "doctor finds an unusual mount"
