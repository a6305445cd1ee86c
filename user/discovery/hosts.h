/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The addresses of the host names in what one source found. Inside discovery/ only. */
#ifndef DISCOVERY_HOSTS_H
#define DISCOVERY_HOSTS_H

#include <stdbool.h>

#include "discovery/found.h"
#include "discovery/names.h"

struct host;

struct hosts {
	struct host **at;
	size_t nr;
	void (*changed)(void *ctx);
	void *ctx;
};

/* Looks up the names in @f, and forgets others. 0 or -ENOMEM. */
int hosts_follow(struct hosts *h, struct names *n, const struct found *f);
void hosts_done(struct hosts *h);
bool found_has_hosts(const struct found *f);
/* What is known of @name; *ret_nr 0: nothing yet, or it has none. Borrowed until the loop runs. */
const struct weft_addr *hosts_addrs(const struct hosts *h, const char *name, size_t *ret_nr);

#endif
