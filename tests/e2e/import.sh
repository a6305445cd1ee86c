#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# `weft import` as a user has it: files and a service_conf_dir in, a weft.yaml out that the agent takes and carries traffic by; exit codes,
# what is on which stream, and that nothing is written when something is wrong.
. "$(dirname "$0")/lib.sh"

mkdir -p "$DIR/smartstack/services.d"
cat >"$DIR/smartstack/synapse.json" <<'END'
{
  "service_conf_dir": "services.d",
  "services": {
    "web": {
      "discovery": { "method": "base" },
      "default_servers": [
        { "name": "one", "host": "127.0.0.2", "port": 8001 },
        { "name": "two", "host": "127.0.0.3", "port": 8001 }
      ],
      "haproxy": {
        "port": 3213,
        "server_options": "check inter 1s rise 1 fall 2",
        "listen": ["balance roundrobin", "mode tcp"]
      }
    }
  },
  "haproxy": { "do_writes": false }
}
END
cat >"$DIR/smartstack/services.d/db.yaml" <<'END'
discovery: {method: ec2tag, tag_name: db, aws_secret_access_key: s3cr3t}
default_servers: [{name: a, host: localhost, port: 8002}]
haproxy: {port: 3214}
END

# -- the streams, and -o
(cd "$DIR/smartstack" && "$WEFT" import synapse.json >../out.yaml 2>../remarks) || fail "a good file is refused: $(cat "$DIR/remarks")"
assert_match "$(<"$DIR/remarks")" 'weft: services.d/db.yaml:1: services.db.discovery: no counterpart for the method "ec2tag"' "the remark"
assert_match "$(<"$DIR/remarks")" "weft: note: synapse.json:17: haproxy.do_writes: not needed" "the note"
! grep -q s3cr3t "$DIR/out.yaml" "$DIR/remarks" || fail "a secret is shown"
"$WEFT" import -o "$DIR/weft.yaml" "$DIR/smartstack/synapse.json" 2>/dev/null || fail "-o fails"
diff "$DIR/out.yaml" "$DIR/weft.yaml" || fail "-o writes something else"
"$WEFT" agent --check -c "$DIR/weft.yaml" || fail "the agent refuses it"

# -- nothing is written
r=0
"$WEFT" import --strict -o "$DIR/strict.yaml" "$DIR/smartstack/synapse.json" 2>/dev/null || r=$?
assert_eq "$r" 1 "exit code with --strict"
[ ! -e "$DIR/strict.yaml" ] || fail "--strict has written something"
echo '{"services": {"web": {"haproxy": {"port": 1}}}}' >"$DIR/bad.json"
r=0
message=$("$WEFT" import -o "$DIR/weft.yaml" "$DIR/smartstack/synapse.json" "$DIR/bad.json" 2>&1) || r=$?
assert_eq "$r" 1 "exit code for a bad file"
assert_match "$message" "bad.json:1: services.web.discovery: is missing" "file, line and key"
cmp "$DIR/out.yaml" "$DIR/weft.yaml" || fail "a bad file has changed the output"
r=0
"$WEFT" import 2>/dev/null || r=$?
assert_eq "$r" 2 "exit code without a file"
r=0
message=$("$WEFT" import -o "$DIR/nowhere/weft.yaml" "$DIR/smartstack/synapse.json" 2>&1) || r=$?
assert_eq "$r" 1 "exit code when it cannot be written"
assert_match "$message" "cannot write .*/nowhere/weft.yaml: No such file" "why it cannot be written"

# -- the agent takes it
{ printf 'instance: %s\ncgroup: %s\n' "$INSTANCE" "${ATTACH:-$CG}"; cat "$DIR/out.yaml"; } | replace "$DIR/weft.yaml"
echo_start 127.0.0.2:8001 127.0.0.3:8001 127.0.0.1:8002
start_agent
both_up()
{
	[ "$(weft endpoint list web -o json | jq '[.[] | select(.state == "ready")] | length')" = 2 ]
}
must 15 "the checks find both endpoints" both_up
assert_eq "$(spread 127.0.0.1:3213 10)" "127.0.0.2:8001 5 127.0.0.3:8001 5" "what applications reach by Synapse's port"
assert_eq "$(spread 127.0.0.1:3214 3)" "127.0.0.1:8002 3" "the other service"
