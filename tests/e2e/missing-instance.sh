#!/bin/bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Commands on an instance that is not loaded, and commands without root: exit 1 and one sentence that says what to do; usage: exit 2.
. "$(dirname "$0")/lib.sh"

one_sentence() # CODE REGEX COMMAND...
{
	local code=0 wanted=$1 regex=$2

	shift 2
	"$@" >"$DIR/out" 2>"$DIR/err" || code=$?
	assert_eq "$code" "$wanted" "exit code of $*"
	assert_eq "$(wc -l <"$DIR/err")" 1 "lines on stderr of $*: $(cat "$DIR/err")"
	assert_match "$(cat "$DIR/err")" "$regex" "message of $*"
}
for words in status "service list" "endpoint list" connections check dump metrics unload "explain 10.0.0.1:80"; do
	one_sentence 1 "$INSTANCE" weft $words
done
one_sentence 2 "did you mean" weft statsu
one_sentence 2 "." weft service
chmod 755 "$DIR"
install -m 755 "$WEFT" "$DIR/weft"
service web tcp 10.96.0.1:80 random 127.0.0.1:80 | config
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all $DIR/weft"
one_sentence 1 "root" $nobody agent -c "$DIR/weft.yaml"
one_sentence 1 "root" $nobody load -c "$DIR/weft.yaml"
one_sentence 1 "root" $nobody unload --instance "$INSTANCE"
in_ns "$PLACE" "$WEFT" load -c "$DIR/weft.yaml" >/dev/null
one_sentence 1 "root|permission|permitted" $nobody status --instance "$INSTANCE"
one_sentence 1 "nothing.yaml" "$WEFT" agent -c "$DIR/nothing.yaml"
