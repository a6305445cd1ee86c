/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a running agent says of itself on its Unix socket, GET /status. */
#ifndef CLI_AGENT_STATUS_H
#define CLI_AGENT_STATUS_H

#include <stddef.h>
#include <stdint.h>

struct agent_status {
	int64_t pid;
	char version[64];
	char config_file[512];
	double start_unix, last_ok_unix;
	uint64_t reloads_ok, reloads_failed, services, endpoints;
	uint64_t failover_links, health_checks;
	char last_error[1024]; /* empty: none */
};

/* 0; -ECONNREFUSED: nobody answers at @socket; other negative errno: somebody does, but not as an agent would. */
int agent_status_get(const char *socket, struct agent_status *ret);
/* Reads the JSON of one reply. 0 or -EPROTO. */
int agent_status_parse(const char *text, size_t len, struct agent_status *ret);

#endif
