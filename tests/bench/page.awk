# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# results.tsv to Markdown: first what has a bar, then a page per table with a row per variant and a column per figure.
BEGIN {
	FS = "\t"
	title["connect-udp"] = "connect(), connected UDP"
	title["connect-tcp"] = "connect(), TCP over loopback"
	title["policy-udp"] = "connect() by policy, connected UDP, one of 1,000 services with 3 endpoints"
	title["policy-tcp"] = "connect() by policy, TCP, one of 1,000 services with 3 endpoints"
	title["flatness"] = "Does the cost grow with the number of services?"
	title["flow"] = "Traffic through a service and without"
	title["failover"] = "connect() when endpoints fail"
	title["resilience"] = "What resilience costs when nothing fails"
	title["load"] = "10,000 services x 100 endpoints into the kernel"
	title["change"] = "One endpoint changes: file in place to published"
	title["agent"] = "The agent's weight"
}
function figure(v,	a) {
	a = v < 0 ? -v : v
	return a >= 100 ? sprintf("%.0f", v) : a >= 10 ? sprintf("%.1f", v) : a >= 1 ? sprintf("%.2f", v) : sprintf("%.3f", v)
}
function cell(i) {
	return figure(median[i]) (rounds[i] > 1 ? " (" figure(low[i]) ".." figure(high[i]) ")" : "")
}
NR > 1 {
	if (!($1 in rows)) {
		tables[++nr_tables] = $1
		rows[$1] = columns[$1] = 0
	}
	if (!(($1, $2) in row_seen)) {
		row_seen[$1, $2] = 1
		row[$1, ++rows[$1]] = $2
	}
	head = $3 ($4 == "" ? "" : ", " $4)
	if (!(($1, head) in column_seen)) {
		column_seen[$1, head] = 1
		column[$1, ++columns[$1]] = head
	}
	id = $1 SUBSEP $2 SUBSEP head
	median[id] = $5; low[id] = $6; high[id] = $7; rounds[id] = $8; known[id] = 1
	if ($9 != "")
		bars[++nr_bars] = "| " $1 " | " $2 " | " $3 " | " cell(id) " " $4 " | " $9 " | " $10 " |"
}
END {
	print "## Bars\n\nFor information: nothing passes or fails by time.\n"
	print "| page | variant | figure | median (min..max of rounds) | bar | |\n|---|---|---|---|---|---|"
	for (i = 1; i <= nr_bars; i++)
		print bars[i]
	for (t = 1; t <= nr_tables; t++) {
		name = tables[t]
		print "\n## " (name in title ? title[name] : name) "\n"
		line = "| variant |"; rule = "|---|"
		for (c = 1; c <= columns[name]; c++) {
			line = line " " column[name, c] " |"
			rule = rule "---:|"
		}
		print line "\n" rule
		for (r = 1; r <= rows[name]; r++) {
			line = "| " row[name, r] " |"
			for (c = 1; c <= columns[name]; c++) {
				id = name SUBSEP row[name, r] SUBSEP column[name, c]
				line = line " " (id in known ? cell(id) : "") " |"
			}
			print line
		}
	}
}
