#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Editing the file adds, removes and weighs endpoints, adds and removes services, without a failed connect and without a restart.
. "$(dirname "$0")/lib.sh"

echo_start 127.0.0.1:80 127.0.0.2:80 127.0.0.3:80
service web tcp 10.96.0.1:80 round-robin 127.0.0.1:80 127.0.0.2:80 | config
start_agent
assert_eq "$(spread 10.96.0.1:80 20)" "127.0.0.1:80 10 127.0.0.2:80 10" "two endpoints"

service web tcp 10.96.0.1:80 round-robin 127.0.0.2:80 127.0.0.3:80@3 | config
must 5 "the edited endpoints are published" endpoints_are web 127.0.0.2:80 127.0.0.3:80
assert_eq "$(spread 10.96.0.1:80 40)" "127.0.0.2:80 10 127.0.0.3:80 30" "one left, one came with weight 3"

{ service web tcp 10.96.0.1:80 random 127.0.0.2:80; service api tcp 10.96.0.9:80 random 127.0.0.3:80; } | config
must 5 "the new service is published" endpoints_are api 127.0.0.3:80
assert_eq "$(spread 10.96.0.9:80 10)" "127.0.0.3:80 10" "the new service"
service web tcp 10.96.0.1:80 random | config
must 5 "a service without endpoints" endpoints_are web
assert_eq "$(failures 10.96.0.1:80 5)" 5 "no endpoint: every connect is refused"
assert_eq "$(weft service list -o json | jq -r '.[].name')" web "api has gone"
