#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The agent tells systemd when it is ready, when it reloads and when it stops, and asks for no more than NOTIFY_SOCKET.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3; ./scripts/deps test"

python3 -u - "$DIR/notify" >"$DIR/heard" <<'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)
END
listener=$!
disown
must 5 "the listener is up" test -S "$DIR/notify"
service web tcp 10.96.0.1:80 random 127.0.0.1:80 | config
export NOTIFY_SOCKET=$DIR/notify
start_agent
unset NOTIFY_SOCKET
must 5 "READY=1" grep -q '^READY=1' "$DIR/heard"
kill -HUP "$AGENT"
must 5 "a second READY=1 after SIGHUP" bash -c '[ "$(grep -c "^READY=1" "$1")" -ge 2 ]' - "$DIR/heard"
grep -q '^RELOADING=1' "$DIR/heard" || fail "no RELOADING=1 before it"
stop_agent
must 5 "STOPPING=1" grep -q '^STOPPING=1' "$DIR/heard"
kill -9 $listener
