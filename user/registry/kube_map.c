/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/kube_choice.h"
#include "registry/kube_map.h"

#define HASH_DIGITS 8

void kube_mapped_done(struct kube_mapped *m)
{
	for (size_t i = 0; i < m->nr; i++)
		service_unref(m->at[i]);
	free(m->at);
	*m = (struct kube_mapped){ 0 };
}

/* FNV-1a. */
static uint32_t hash(const char *text)
{
	uint32_t h = 0x811c9dc5u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x01000193u;
	return h;
}

static void make_name(const struct kube_service *s, const struct kube_port *port, const char *family, char *ret,
		      size_t len)
{
	char whole[2 * KUBE_NAME_MOST + KUBE_WORD_MOST + 16];
	bool named = s->nr_ports > 1 && *port->name;

	snprintf(whole, sizeof(whole), "%s/%s%s%s%s", s->namespace, s->name, named ? ":" : "", named ? port->name : "",
		 family);
	if (strlen(whole) < len)
		snprintf(ret, len, "%s", whole);
	else
		snprintf(ret, len, "%.*s~%0*x", (int)(len - HASH_DIGITS - 2), whole, HASH_DIGITS, hash(whole));
}

static void apply_wishes(const struct kube_wishes *w, struct service *s)
{
	bool tcp = s->proto == IPPROTO_TCP;

	if (w->has_balance)
		s->lb = w->balance;
	if (w->has_drain)
		s->drain_ms = w->drain_ms;
	if (w->has_slow_start)
		s->slow_start_ms = w->slow_start_ms;
	s->limits.connections = w->max_connections;
	if (w->has_connect)
		s->connect_timeout_ms = w->connect_ms;
	if (w->has_ejection)
		s->ejection.on = w->ejection;
	if (!tcp) { /* no handshake: nothing to time, to move or to count */
		s->connect_timeout_ms = 0;
		s->failover = false;
		s->ejection.on = false;
	}
}

/* Traffic to other addresses than the cluster's own is not subject to internalTrafficPolicy; we have one list of
 * endpoints for all of them, so those are left alone then. */
static int add_frontends(struct service *to, const struct kube_service *s, const struct kube_port *port, bool v4,
			 const struct kube_view *v)
{
	uint8_t kinds = s->local ? v->addresses & KUBE_CLUSTER_IP : v->addresses;
	int r = 0;

	for (size_t i = 0; !r && i < s->nr_addresses; i++) {
		const struct kube_address *a = &s->addresses[i];

		if (!(a->kind & kinds) || (bool)weft_addr_is_v4(&a->addr) != v4)
			continue;
		if (to->nr_frontends == WEFT_FRONTENDS_PER_SERVICE) {
			kube_odd_say(&v->odd, "service %s/%s: more than %d addresses", s->namespace, s->name,
				     WEFT_FRONTENDS_PER_SERVICE);
			break;
		}
		r = service_add_frontend(to, &(struct frontend){ .addr = a->addr, .port = port->port });
	}
	return r;
}

static int add_endpoints(struct service *to, const struct kube_choices *c, const struct kube_view *v)
{
	size_t most = WEFT_ENDPOINTS_PER_SERVICE;
	int r = 0;

	if (c->nr > most)
		kube_odd_say(&v->odd, "service %s: more than %zu endpoints", to->name, most);
	for (size_t i = 0; !r && i < c->nr && i < most; i++) {
		const struct kube_choice *at = &c->at[i];

		r = service_add_endpoint(to, &(struct endpoint){ .addr = at->endpoint->addr,
								 .port = at->port,
								 .weight = 1,
								 .priority = at->priority,
								 .unready = at->unready,
								 .zone = at->endpoint->zone });
	}
	return r;
}

/* *ret stays NULL when there is no address to be served. */
static int map_port(const struct kube_service *s, const struct kube_slice *slices, const struct kube_port *port,
		    bool v4, const char *family, const struct kube_view *v, struct service **ret)
{
	const struct kube_ask ask = { .port = port->name,
				      .proto = port->proto,
				      .v4 = &v4,
				      .local = s->local,
				      .publish_unready = s->publish_unready };
	_cleanup_(service_unrefp) struct service *to = NULL;
	struct kube_choices choices = { 0 };
	char name[WEFT_NAME_LEN];
	int r;

	make_name(s, port, family, name, sizeof(name));
	to = service_new(name);
	if (!to)
		return -ENOMEM;
	to->proto = port->proto;
	to->affinity = s->affinity_ms ? WEFT_CLIENT_ADDRESS : WEFT_CLIENT_NONE;
	if (s->affinity_ms)
		to->affinity_ms = s->affinity_ms;
	apply_wishes(&s->wishes, to);
	r = add_frontends(to, s, port, v4, v);
	if (r || !to->nr_frontends)
		return r;
	r = kube_choose(slices, &ask, &choices);
	if (!r)
		r = add_endpoints(to, &choices, v);
	free(choices.at);
	if (!r)
		*ret = MOVE(to, NULL);
	return r;
}

static bool is_served(const struct kube_service *s, const struct kube_view *v)
{
	if (!s || s->external_name || s->elsewhere || s->wishes.ignore || !s->nr_addresses)
		return false;
	if (v->serve == KUBE_SERVE_NONE || (v->serve == KUBE_SERVE_ANNOTATED && !s->wishes.serve))
		return false;
	if (s->local && !v->place.node) {
		kube_odd_say(&v->odd,
			     "service %s/%s wants endpoints of this node only, and which one this is is not known; "
			     "write \"node\"",
			     s->namespace, s->name);
		return false;
	}
	return true;
}

int kube_map(const struct kube_service *s, const struct kube_slice *slices, const struct kube_view *v,
	     struct kube_mapped *ret)
{
	bool first_v4;

	if (!is_served(s, v) || !s->nr_ports)
		return 0;
	ret->at = calloc(s->nr_ports * 2, sizeof(struct service *));
	if (!ret->at)
		return -ENOMEM;
	first_v4 = weft_addr_is_v4(&s->addresses[0].addr);
	for (int second = 0; second < 2; second++)
		for (size_t i = 0; i < s->nr_ports; i++) {
			bool v4 = second ? !first_v4 : first_v4;
			const char *family = !second ? "" : v4 ? ":v4" : ":v6";

			if (!s->ports[i].proto)
				continue;
			if (map_port(s, slices, &s->ports[i], v4, family, v, &ret->at[ret->nr])) {
				kube_mapped_done(ret);
				return -ENOMEM;
			}
			if (ret->at[ret->nr])
				ret->nr++;
		}
	return 0;
}

static int add_found(struct found *f, const struct kube_choice *c)
{
	const struct kube_endpoint *e = c->endpoint;
	const char *pod = e->pod ? c->slice->words + e->pod : NULL;
	struct label labels[3];
	size_t nr = 0;

	if (pod)
		labels[nr++] = (struct label){ "pod", pod };
	if (e->node)
		labels[nr++] = (struct label){ "node", c->slice->words + e->node };
	if (e->zone)
		labels[nr++] = (struct label){ "zone", e->zone };
	return found_add(f, &(struct found_args){ .addr = &e->addr,
						  .port = c->port,
						  .priority = c->priority,
						  .unready = c->unready,
						  .zone = e->zone,
						  .name = pod,
						  .labels = labels,
						  .nr_labels = nr });
}

static bool has_port(const struct kube_service *s, const struct kube_slice *slices, const char *name)
{
	for (size_t i = 0; s && i < s->nr_ports; i++)
		if (!strcmp(s->ports[i].name, name))
			return true;
	for (; slices; slices = slices->next)
		for (size_t i = 0; i < slices->nr_ports; i++)
			if (!strcmp(slices->ports[i].name, name))
				return true;
	return false;
}

int kube_find(const struct kube_service *s, const struct kube_slice *slices, const char *port,
	      const struct kube_view *v, struct found *ret)
{
	const struct kube_ask ask = { .port = port		 ? port
					      : s && s->nr_ports ? s->ports[0].name
								 : NULL,
				      .local = s && s->local && v->place.node,
				      .publish_unready = s && s->publish_unready };
	struct kube_choices choices = { 0 };
	int r;

	if (port && (s || slices) && !has_port(s, slices, port))
		return -ENOENT;
	r = kube_choose(slices, &ask, &choices);
	for (size_t i = 0; !r && i < choices.nr; i++) {
		r = add_found(ret, &choices.at[i]);
		if (r == -EINVAL)
			r = 0; /* an address or a port of zeros, which the decoder refuses */
	}
	free(choices.at);
	if (r)
		found_done(ret);
	return r;
}
