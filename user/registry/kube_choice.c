/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/kube_choice.h"

static const struct kube_port *find_port(const struct kube_slice *s, const struct kube_ask *ask)
{
	for (size_t i = 0; i < s->nr_ports; i++)
		if ((!ask->port || !strcmp(s->ports[i].name, ask->port)) && s->ports[i].proto &&
		    (!ask->proto || s->ports[i].proto == ask->proto))
			return &s->ports[i];
	return NULL;
}

static int reserve(struct kube_choices *c, size_t more)
{
	size_t want = c->nr + more;
	void *at;

	if (want <= c->capacity)
		return 0;
	if (want < c->capacity * 2)
		want = c->capacity * 2;
	at = reallocarray(c->at, want, sizeof(*c->at));
	if (!at)
		return -ENOMEM;
	c->at = at;
	c->capacity = want;
	return 0;
}

static bool is_ready(const struct kube_endpoint *e)
{
	return (e->flags & KUBE_READY) && !(e->flags & KUBE_TERMINATING);
}

static int add_slice(struct kube_choices *c, const struct kube_slice *s, const struct kube_ask *ask)
{
	const struct kube_port *port = find_port(s, ask);

	if (!port || (ask->v4 && *ask->v4 != s->v4))
		return 0;
	if (reserve(c, s->nr_endpoints))
		return -ENOMEM;
	for (size_t i = 0; i < s->nr_endpoints; i++) {
		const struct kube_endpoint *e = &s->endpoints[i];

		if (ask->local && !(e->flags & KUBE_OUR_NODE))
			continue;
		c->at[c->nr++] = (struct kube_choice){
			.slice = s, .endpoint = e, .port = port->port, .unready = !ask->publish_unready && !is_ready(e)
		};
	}
	return 0;
}

/* When nothing else is left, what is on its way out but still serves takes new connections (KEP-1669). */
static void use_last_ones(struct kube_choices *c)
{
	const uint8_t both = KUBE_SERVING | KUBE_TERMINATING;

	for (size_t i = 0; i < c->nr; i++)
		if (!c->at[i].unready)
			return;
	for (size_t i = 0; i < c->nr; i++)
		if ((c->at[i].endpoint->flags & both) == both)
			c->at[i].unready = false;
}

/* Hints are for all endpoints in use or for none; and one of them must be for us. */
static bool hints_hold(const struct kube_choices *c, uint8_t said, uint8_t ours)
{
	bool any = false;

	for (size_t i = 0; i < c->nr; i++) {
		if (c->at[i].unready)
			continue;
		if (!(c->at[i].endpoint->flags & said))
			return false;
		any |= (c->at[i].endpoint->flags & ours) != 0;
	}
	return any;
}

/* Endpoints that are not meant for this node or zone come after those that are: they take over when those are gone. */
static void set_priorities(struct kube_choices *c)
{
	bool node = hints_hold(c, KUBE_NODE_HINT, KUBE_OUR_NODE_HINT);
	bool zone = hints_hold(c, KUBE_ZONE_HINT, KUBE_OUR_ZONE_HINT);

	for (size_t i = 0; i < c->nr; i++) {
		uint8_t flags = c->at[i].endpoint->flags;

		c->at[i].priority = (uint8_t)((node && !(flags & KUBE_OUR_NODE_HINT)) +
					      (zone && !(flags & KUBE_OUR_ZONE_HINT)));
	}
}

static int by_address(const void *a, const void *b)
{
	const struct kube_choice *x = a, *y = b;
	int r = memcmp(x->endpoint->addr.byte, y->endpoint->addr.byte, sizeof(x->endpoint->addr.byte));

	if (r)
		return r;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->unready != y->unready)
		return x->unready ? 1 : -1;
	return (x->priority > y->priority) - (x->priority < y->priority);
}

/* A pod may be in two slices for a moment, while the controller moves it: the one in use counts. */
static void unite(struct kube_choices *c)
{
	size_t kept = 0;

	if (c->nr)
		qsort(c->at, c->nr, sizeof(*c->at), by_address);
	for (size_t i = 0; i < c->nr; i++) {
		const struct kube_choice *last = kept ? &c->at[kept - 1] : NULL;

		if (!last || last->port != c->at[i].port ||
		    !weft_addr_equal(&last->endpoint->addr, &c->at[i].endpoint->addr))
			c->at[kept++] = c->at[i];
	}
	c->nr = kept;
}

int kube_choose(const struct kube_slice *slices, const struct kube_ask *ask, struct kube_choices *ret)
{
	for (const struct kube_slice *s = slices; s; s = s->next)
		if (add_slice(ret, s, ask))
			return -ENOMEM;
	use_last_ones(ret);
	set_priorities(ret);
	unite(ret);
	return 0;
}
