/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Addresses of `addresses:` for services of registries that name none. Those of the files have theirs already. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"

int addressing_set(struct discovery *d, const struct config *c)
{
	return pool_set(d->pool, c->addresses, c->nr_addresses);
}

/* Takes out @loser, or all that lack an address when it is NULL. Returns how many. */
static size_t take_out(struct model *m, const struct service *loser)
{
	size_t kept = 0, out;

	for (size_t i = 0; i < m->nr; i++) {
		struct service *s = m->services[i];

		if (loser ? s == loser : service_lacks_address(s))
			service_unref(s);
		else
			m->services[kept++] = s;
	}
	out = m->nr - kept;
	m->nr = kept;
	return out;
}

static void say(struct discovery *d, size_t nr)
{
	if (nr && nr != d->addressless)
		log_msg(LOG_L_WARNING,
			"%zu services of registries have no address, and \"addresses\" has none for them; they are "
			"left out",
			nr);
	d->addressless = nr;
}

int addressing_fill(struct discovery *d, struct model **m)
{
	struct model *filled = NULL;
	const struct service *bad = NULL;
	size_t left_out = 0;
	size_t lacking = 0;
	int r;

	for (size_t i = 0; i < (*m)->nr; i++)
		lacking += service_lacks_address((*m)->services[i]);
	if (!lacking) {
		d->addressless = 0;
		return 0;
	}
	while ((r = pool_fill(d->pool, *m, &filled, &bad)) == -ENOSPC || r == -EAFNOSUPPORT)
		left_out += take_out(*m, pool_is_empty(d->pool) ? NULL : bad);
	if (r)
		return r;
	say(d, left_out);
	model_free(*m);
	*m = filled;
	return 0;
}
