# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Sourced after tests/e2e/lib.sh by tests that need ZooKeeper: no fake, but ZooKeeper itself at $SERVER in the test's namespace, and its own command
# line as the outside writer.
SERVER=127.0.0.31:2181
JAVA=(java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto)
JAR=/usr/share/java/zookeeper.jar
ZK_PID= CLI_PID= CLI_IN= CLI_OUT= CLI_NR=0 SAID=

command -v java >/dev/null || skip "java is missing"
[ -r $JAR ] || skip "$JAR is missing (Debian's zookeeper)"
mkdir -p "$DIR/zk-conf"
printf 'log4j.rootLogger=WARN, C\nlog4j.appender.C=org.apache.log4j.ConsoleAppender\nlog4j.appender.C.layout=org.apache.log4j.SimpleLayout\n' \
	>"$DIR/zk-conf/log4j.properties"

imok() { [ "$(in_ns "$PLACE" bash -c "exec 3<>/dev/tcp/${SERVER/:/\/} && echo ruok >&3 && timeout 2 cat <&3" 2>/dev/null)" = imok ]; }

server_start() # [FOLDER]: with what FOLDER holds
{
	mkdir -p "$DIR/${1:-data}"
	cat >"$DIR/zoo.cfg" <<-END
		tickTime=500
		minSessionTimeout=1000
		dataDir=$DIR/${1:-data}
		clientPortAddress=${SERVER%:*}
		clientPort=${SERVER#*:}
		admin.enableServer=false
		4lw.commands.whitelist=*
		maxCnxns=1000
	END
	spawn_in "$PLACE" "${JAVA[@]}" -cp "$DIR/zk-conf:$JAR" org.apache.zookeeper.server.ZooKeeperServerMain "$DIR/zoo.cfg" >>"$DIR/zookeeper.log" 2>&1
	ZK_PID=$SPAWNED
	must 30 "ZooKeeper is up" imok
}

server_kill()
{
	kill -9 "$ZK_PID"
	must 5 "ZooKeeper is gone" gone "$ZK_PID"
}

# One command line for all of a test, since each start takes a second.
cli_start()
{
	coproc CLI { exec nsenter --net="/run/netns/$PLACE" -- "${JAVA[@]}" -cp "$DIR/zk-conf:$JAR" org.apache.zookeeper.ZooKeeperMain -timeout 30000 -server $SERVER 2>&1; }
	CLI_PID=$! CLI_IN=${CLI[1]} CLI_OUT=${CLI[0]}
	zk ls / || fail "zkCli does not answer"
}

cli_stop()
{
	[ -z "$CLI_PID" ] || { kill -9 "$CLI_PID"; wait "$CLI_PID"; } 2>/dev/null || true
	CLI_PID=
}

# zk COMMAND...: as in zkCli.sh; what it says is in $SAID. Returns when it is done.
zk()
{
	local line

	CLI_NR=$((CLI_NR + 1)) SAID=
	printf '%s\nls /mark-%d\n' "$*" $CLI_NR >&"$CLI_IN" || return 1
	while IFS= read -r -t 20 line <&"$CLI_OUT"; do
		case $line in
		*"Node does not exist: /mark-$CLI_NR"*) return 0 ;;
		esac
		SAID+=$line$'\n'
	done
	return 1
}

# made COMMAND...: as zk, for a node that is made; its name is in $NODE.
made()
{
	zk "$@" || fail "zkCli: $*"
	NODE=$(grep -o 'Created /.*' <<<"$SAID") || fail "zkCli: $*: $SAID"
	NODE=${NODE#Created }
}

# children PATH: their names, sorted, in one line; nothing when there is no such path.
children()
{
	zk ls "$1" || fail "zkCli: ls $1"
	grep -o '^\[.*\]$' <<<"$SAID" | tr -d '[], ' >/dev/null
	grep -o '^\[.*\]$' <<<"$SAID" | tr -d '[]' | tr ',' '\n' | tr -d ' ' | sort | xargs
}

content() # PATH
{
	zk get "$1" || fail "zkCli: get $1"
	grep -o '^{.*}$' <<<"$SAID" || true
}

trap '' PIPE # a command line that has died is told by must and fail
trap 'code=$?; set +e; cli_stop; (exit $code); finish' EXIT
