/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The daemon: keeps what the kernel does equal to what the files say, and answers questions about it. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>

struct agent_options {
	const char *config_file;
	bool check;		      /* read everything, change nothing */
	bool verbose;		      /* debug messages */
	const char *instance, *bpffs; /* NULL: as the file says */
};

/* Runs until SIGTERM or SIGINT. 0; 1 when it could not start (one sentence has been logged). */
int agent_main(const struct agent_options *options);

#endif
