/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which DNS servers to ask, and how to complete names: as configured, or as /etc/resolv.conf says now. Of cares.c. */
#ifndef DISCOVERY_CARES_SERVERS_H
#define DISCOVERY_CARES_SERVERS_H

#include <ares.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "discovery/cares.h"

struct servers {
	char *csv; /* NULL: the system's */
	int nr;	   /* of servers */
	char **search;
	unsigned ndots;
	bool own_search, own_ndots; /* configured */
	struct stat stamp;	    /* of resolv.conf as it was read */
};

/* 0, -ENOMEM, -EINVAL with *text. */
int servers_init(struct servers *s, const struct cares_options *o, char *text, size_t len);
void servers_done(struct servers *s);
/* Tells a channel that has just been made, and learns from it what is not configured. A status of c-ares. */
int servers_apply(struct servers *s, ares_channel channel);
/* resolv.conf is not what it was when channels were made, and that matters. */
bool servers_changed(struct servers *s);

unsigned servers_ndots(const struct servers *s);
char *const *servers_search(const struct servers *s);

#endif
