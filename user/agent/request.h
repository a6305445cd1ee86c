/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the agent answers to one HTTP request. Inside agent/ only. */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>

struct agent;
struct request;

/* Where a request came in. */
struct request_door {
	struct agent *agent;
	bool is_local;				 /* the Unix socket: who can open it may also command */
	void (*wake)(struct request_door *door); /* a suspended connection was resumed */
};

/* libmicrohttpd's callbacks; @cls is the struct request_door. */
enum MHD_Result request_answer(void *cls, struct MHD_Connection *c, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_len, void **state);
void request_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how);

#endif
