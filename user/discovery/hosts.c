/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "discovery/hosts.h"

struct host {
	struct hosts *owner;
	char *name;
	struct name_want *want;
	struct weft_addr *addrs;
	size_t nr;
	bool wanted; /* while the list is gone through */
};

static void host_free(struct host *h)
{
	names_forget(h->want);
	free(h->addrs);
	free(h->name);
	free(h);
}

void hosts_done(struct hosts *h)
{
	for (size_t i = 0; i < h->nr; i++)
		host_free(h->at[i]);
	free(h->at);
	h->at = NULL;
	h->nr = 0;
}

bool found_has_hosts(const struct found *f)
{
	for (size_t i = 0; i < f->nr; i++)
		if (f->at[i].host)
			return true;
	return false;
}

static struct host *find(const struct hosts *h, const char *name)
{
	for (size_t i = 0; i < h->nr; i++)
		if (!strcmp(h->at[i]->name, name))
			return h->at[i];
	return NULL;
}

static void on_answer(void *ctx, const struct weft_addr *addrs, size_t nr)
{
	struct host *h = ctx;
	struct weft_addr *copy = nr ? malloc(nr * sizeof(*copy)) : NULL;

	if (nr && !copy)
		return; /* the next answer will do */
	if (nr)
		memcpy(copy, addrs, nr * sizeof(*copy));
	free(h->addrs);
	h->addrs = copy;
	h->nr = nr;
	h->owner->changed(h->owner->ctx);
}

static int add(struct hosts *h, struct names *n, const char *name)
{
	struct host **more = reallocarray(h->at, h->nr + 1, sizeof(struct host *));
	struct host *new;

	if (!more)
		return -ENOMEM;
	h->at = more;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->owner = h;
	new->wanted = true;
	new->name = strdup(name);
	if (!new->name || names_want(n, name, on_answer, new, &new->want) == -ENOMEM) {
		host_free(new);
		return -ENOMEM;
	}
	h->at[h->nr++] = new;
	return 0;
}

int hosts_follow(struct hosts *h, struct names *n, const struct found *f)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < h->nr; i++)
		h->at[i]->wanted = false;
	for (size_t i = 0; !r && i < f->nr; i++) {
		struct host *known = f->at[i].host ? find(h, f->at[i].host) : NULL;

		if (known)
			known->wanted = true;
		else if (f->at[i].host)
			r = add(h, n, f->at[i].host);
	}
	for (size_t i = 0; i < h->nr; i++) {
		if (h->at[i]->wanted)
			h->at[kept++] = h->at[i];
		else
			host_free(h->at[i]);
	}
	h->nr = kept;
	return r;
}

const struct weft_addr *hosts_addrs(const struct hosts *h, const char *name, size_t *ret_nr)
{
	const struct host *known = h ? find(h, name) : NULL;

	*ret_nr = known ? known->nr : 0;
	return known ? known->addrs : NULL;
}
