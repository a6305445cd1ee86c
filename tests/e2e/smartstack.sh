#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# SmartStack's own configuration, imported, with ZooKeeper itself: what Nerve's part registers is where connects to Synapse's port land, beside instances that a
# Nerve elsewhere has written; one that goes down leaves.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/fakes/zookeeper.sh"

cat >"$DIR/synapse.json" <<END
{
  "services": {
    "web": {
      "default_servers": [],
      "use_previous_backends": false,
      "discovery": {
        "method": "zookeeper",
        "path": "/production/services/web/services",
        "hosts": ["$SERVER"],
        "label_filters": [{ "label": "az", "value": "east", "condition": "equals" }]
      },
      "haproxy": { "port": 3213, "server_options": "check inter 2s rise 3 fall 2", "listen": ["mode tcp", "balance roundrobin"] }
    }
  },
  "haproxy": { "reload_command": "sudo service haproxy reload", "config_file_path": "/etc/haproxy/haproxy.cfg", "do_writes": true }
}
END
cat >"$DIR/nerve.json" <<END
{
  "instance_id": "mymachine",
  "services": {
    "web": {
      "host": "127.0.0.11",
      "port": 8080,
      "reporter_type": "zookeeper",
      "zk_hosts": ["$SERVER"],
      "zk_path": "/production/services/web/services",
      "check_interval": 1,
      "labels": { "az": "east" },
      "checks": [{ "type": "tcp", "timeout": 0.2, "rise": 2, "fall": 2 }]
    }
  }
}
END
PARENT=/production/services/web/services

server_start
cli_start
echo_start 127.0.0.12:8080
spawn_in "$PLACE" "$O/tests/tools/echo" 127.0.0.11:8080 >"$DIR/own.out" 2>"$DIR/own.log"
OWN=$SPAWNED
"$WEFT" import -o "$DIR/imported.yaml" "$DIR/synapse.json" "$DIR/nerve.json" 2>"$DIR/remarks" || fail "not imported: $(cat "$DIR/remarks")"
{ printf 'instance: %s\ncgroup: %s\n' "$INSTANCE" "$CG"; cat "$DIR/imported.yaml"; } | replace "$DIR/weft.yaml"
start_agent

echo "-- registered as Nerve would have"
named() { [[ $(children $PARENT) =~ ^mymachine_[0-9]{10}$ ]]; }
must 15 "the node" named
assert_eq "$(content "$PARENT/$(children $PARENT)")" '{"host":"127.0.0.11","port":8080,"name":"mymachine","labels":{"az":"east"}}' "its content"

echo "-- reached by Synapse's port, beside what another Nerve has written"
ready_are() { [ "$(weft endpoint list web -o json | jq -r '[.[] | select(.state == "ready") | .endpoint] | sort | join(" ")')" = "$*" ]; }
must 20 "the local one" ready_are 127.0.0.11:8080
made create -e -s $PARENT/other_ '{"host":"127.0.0.12","port":8080,"name":"other","labels":{"az":"east"}}'
made create -e -s $PARENT/far_ '{"host":"127.0.0.13","port":8080,"name":"far","labels":{"az":"west"}}'
must 20 "both, and not the one of the other label" ready_are 127.0.0.11:8080 127.0.0.12:8080
assert_eq "$(spread 127.0.0.1:3213 10)" "127.0.0.11:8080 5 127.0.0.12:8080 5" "what applications reach by Synapse's port"

echo "-- down"
kill "$OWN"
must 15 "the local one leaves" ready_are 127.0.0.12:8080
assert_eq "$(failures 127.0.0.1:3213 5)" 0 "connects"
