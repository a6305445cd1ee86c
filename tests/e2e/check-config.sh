#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# `weft agent -c FILE --check` validates without root, without touching the kernel: exit 0, 1; with -v it prints a normal form that is valid.
. "$(dirname "$0")/lib.sh"

chmod 755 "$DIR"
install -m 755 "$WEFT" "$DIR/weft"
check()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups "$DIR/weft" agent -c "$1" --check "${@:2}"
}
service web tcp 10.96.0.1:80 maglev 127.0.0.1:80 127.0.0.2:80@7 | config
check "$DIR/weft.yaml" || fail "a good file is refused"
check "$DIR/weft.yaml" -v >"$DIR/normal.yaml" || fail "-v fails"
check "$DIR/normal.yaml" -v >"$DIR/again.yaml" || fail "the normal form is refused: $(check "$DIR/normal.yaml" 2>&1)"
diff "$DIR/normal.yaml" "$DIR/again.yaml" || fail "the normal form is not stable"
service web tcp 10.96.0.1:0 random 127.0.0.1:80 | config
r=0
message=$(check "$DIR/weft.yaml" 2>&1) || r=$?
assert_eq "$r" 1 "exit code for a bad file"
assert_match "$message" "weft.yaml:[0-9]+: services\[0\]\.address" "file, line and key"
[ ! -e "$PINS" ] || fail "--check pinned something"
cp "$TOP/deploy/weft.yaml" "$DIR/example.yaml"
check "$DIR/example.yaml" || fail "the example that is shipped is refused"
