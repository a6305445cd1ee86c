/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Two hash tables with open addressing, half full at most: names to nodes, addresses to nodes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/reverse.h"
#include "dns/zone.h"
#include "weft/lb.h"

struct zone {
	struct dns_name suffix;
	struct zone_node *nodes;
	size_t nr_nodes, nodes_capacity;
	struct weft_addr *addrs; /* those of a node are in a row after zone_new() */
	uint32_t *owners;	 /* of each: a node */
	size_t nr_addrs, addrs_capacity;
	uint32_t *names, *reverse; /* tables: index of a node or address + 1; 0: free */
	size_t mask;		   /* of both */
	size_t left_out;
};

/* ---- hashes ---- */

static uint64_t hash(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ dns_lower(at[i])) * 1099511628211ull;
	return weft_hash_mix(h);
}

static uint64_t hash_addr(const struct weft_addr *a)
{
	uint64_t half[2];

	memcpy(half, a, sizeof(half));
	return weft_hash_mix(half[0] ^ weft_hash_mix(half[1]));
}

/* Where @name is, or would be. */
static size_t slot_of_name(const struct zone *z, const struct dns_name *name)
{
	size_t i = hash(name->wire, name->len) & z->mask;

	while (z->names[i] && !dns_name_equal(&z->nodes[z->names[i] - 1].name, name))
		i = (i + 1) & z->mask;
	return i;
}

static size_t slot_of_addr(const struct zone *z, const struct weft_addr *a)
{
	size_t i = hash_addr(a) & z->mask;

	while (z->reverse[i] && !weft_addr_equal(&z->addrs[z->reverse[i] - 1], a))
		i = (i + 1) & z->mask;
	return i;
}

/* ---- names of services ---- */

/* NAMESPACE/NAME and NAMESPACE/NAME:PORT as NAME.NAMESPACE. False: it is not of that form. */
static bool kubernetes_name(const char *name, char *ret, size_t len)
{
	const char *slash = strchr(name, '/'), *end;

	if (!slash || slash == name || strchr(slash + 1, '/') || memchr(name, ':', (size_t)(slash - name)))
		return false;
	end = slash + 1 + strcspn(slash + 1, ":");
	return snprintf(ret, len, "%.*s.%.*s", (int)(end - slash - 1), slash + 1, (int)(slash - name), name) < (int)len;
}

static int reserve_node(struct zone *z)
{
	size_t want = z->nodes_capacity ? z->nodes_capacity * 2 : 64;
	struct zone_node *more;

	if (z->nr_nodes < z->nodes_capacity)
		return 0;
	more = reallocarray(z->nodes, want, sizeof(*more));
	if (!more)
		return -ENOMEM;
	z->nodes = more;
	z->nodes_capacity = want;
	return 0;
}

/* The table grows with its nodes: twice as many slots as there can be, so that a free one is always near. */
static int grow(struct zone *z)
{
	size_t slots = (z->mask + 1) * 2;
	uint32_t *before = z->names;

	if (z->nr_nodes * 2 < z->mask)
		return 0;
	z->names = calloc(slots, sizeof(*z->names));
	if (!z->names) {
		z->names = before;
		return -ENOMEM;
	}
	free(before);
	z->mask = slots - 1;
	for (size_t i = 0; i < z->nr_nodes; i++)
		z->names[slot_of_name(z, &z->nodes[i].name)] = (uint32_t)i + 1;
	return 0;
}

/* The node of @name, which is made when it is not there. */
static int node_get(struct zone *z, const struct dns_name *name, uint32_t *ret)
{
	size_t i;

	if (reserve_node(z) || grow(z))
		return -ENOMEM;
	i = slot_of_name(z, name);
	if (!z->names[i]) {
		struct zone_node *n = &z->nodes[z->nr_nodes++];

		*n = (struct zone_node){ .name = *name };
		for (unsigned k = 0; k < n->name.len; k++)
			n->name.wire[k] = dns_lower(n->name.wire[k]);
		z->names[i] = (uint32_t)z->nr_nodes;
	}
	*ret = z->names[i] - 1;
	return 0;
}

/* A name exists as soon as one below it does (RFC 8020). */
static int add_parents(struct zone *z, const struct dns_name *name)
{
	struct dns_name parent = *name;
	uint32_t node;

	while (parent.len > z->suffix.len) {
		uint8_t label = parent.wire[0];

		memmove(parent.wire, parent.wire + label + 1, parent.len - label - 1u);
		parent.len = (uint8_t)(parent.len - label - 1);
		if (node_get(z, &parent, &node))
			return -ENOMEM;
	}
	return 0;
}

static int add_addr(struct zone *z, const struct weft_addr *a, uint32_t owner)
{
	if (z->nr_addrs == z->addrs_capacity) {
		size_t want = z->addrs_capacity ? z->addrs_capacity * 2 : 64;
		struct weft_addr *addrs = reallocarray(z->addrs, want, sizeof(*addrs));
		uint32_t *owners;

		if (!addrs)
			return -ENOMEM;
		z->addrs = addrs;
		owners = reallocarray(z->owners, want, sizeof(*owners));
		if (!owners)
			return -ENOMEM;
		z->owners = owners;
		z->addrs_capacity = want;
	}
	z->addrs[z->nr_addrs] = *a;
	z->owners[z->nr_addrs++] = owner;
	return 0;
}

/* -EINVAL: it is no name of the DNS. */
static int add_name(struct zone *z, const char *text, const struct service *s)
{
	struct dns_name name;
	uint32_t node;
	int r = 0;

	if (dns_name_parse(text, &name) || name.len <= 1 || dns_name_append(&name, &z->suffix))
		return -EINVAL;
	if (node_get(z, &name, &node) || add_parents(z, &name))
		return -ENOMEM;
	for (size_t i = 0; !r && i < s->nr_frontends; i++)
		r = add_addr(z, &s->frontends[i].addr, node);
	return r;
}

static int add_service(struct zone *z, const struct service *s)
{
	char text[WEFT_NAME_LEN + 1];
	int plain, other = -EINVAL;

	if (!s->nr_frontends)
		return 0;
	plain = add_name(z, s->name, s);
	if (plain != -ENOMEM && kubernetes_name(s->name, text, sizeof(text)))
		other = add_name(z, text, s);
	if (plain == -ENOMEM || other == -ENOMEM)
		return -ENOMEM;
	z->left_out += plain && other;
	return 0;
}

/* ---- the whole ---- */

/* Addresses in order of their nodes, none twice. */
static int arrange(struct zone *z)
{
	_cleanup_(freep) struct weft_addr *sorted = calloc(z->nr_addrs + 1, sizeof(*sorted));
	uint32_t at = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < z->nr_addrs; i++)
		z->nodes[z->owners[i]].nr++;
	for (size_t i = 0; i < z->nr_nodes; i++) {
		z->nodes[i].first = at;
		at += z->nodes[i].nr;
		z->nodes[i].nr = 0;
	}
	for (size_t i = 0; i < z->nr_addrs; i++) {
		struct zone_node *n = &z->nodes[z->owners[i]];
		bool there = false;

		for (uint32_t k = 0; k < n->nr; k++)
			there |= weft_addr_equal(&sorted[n->first + k], &z->addrs[i]);
		if (!there)
			sorted[n->first + n->nr++] = z->addrs[i];
	}
	free(z->addrs);
	z->addrs = MOVE(sorted, NULL);
	return 0;
}

/* Of two services with one address the first one names it. */
static int index_addrs(struct zone *z)
{
	size_t slots = 64, i;

	while (slots < z->nr_addrs * 2)
		slots *= 2;
	while (slots < z->mask + 1)
		slots *= 2;
	z->reverse = calloc(slots, sizeof(*z->reverse));
	if (!z->reverse)
		return -ENOMEM;
	free(MOVE(z->names, NULL));
	z->names = calloc(slots, sizeof(*z->names));
	if (!z->names)
		return -ENOMEM;
	z->mask = slots - 1;
	for (size_t n = 0; n < z->nr_nodes; n++) {
		z->names[slot_of_name(z, &z->nodes[n].name)] = (uint32_t)n + 1;
		for (uint32_t k = 0; k < z->nodes[n].nr; k++) {
			uint32_t a = z->nodes[n].first + k;

			z->owners[a] = (uint32_t)n;
			i = slot_of_addr(z, &z->addrs[a]);
			if (!z->reverse[i])
				z->reverse[i] = a + 1;
		}
	}
	return 0;
}

static void zone_freep(struct zone **z)
{
	zone_free(*z);
}

int zone_new(const char *suffix, const struct model *m, struct zone **ret)
{
	_cleanup_(zone_freep) struct zone *z = calloc(1, sizeof(*z));
	uint32_t apex;
	int r;

	if (!z)
		return -ENOMEM;
	if (dns_name_parse(suffix, &z->suffix))
		return -EINVAL;
	z->mask = 63;
	z->names = calloc(z->mask + 1, sizeof(*z->names));
	r = z->names ? node_get(z, &z->suffix, &apex) : -ENOMEM;
	for (size_t i = 0; !r && i < m->nr; i++)
		r = add_service(z, m->services[i]);
	if (!r)
		r = arrange(z);
	if (!r)
		r = index_addrs(z);
	if (!r)
		*ret = MOVE(z, NULL);
	return r;
}

void zone_free(struct zone *z)
{
	if (!z)
		return;
	free(z->nodes);
	free(z->addrs);
	free(z->owners);
	free(z->names);
	free(z->reverse);
	free(z);
}

const struct dns_name *zone_suffix(const struct zone *z)
{
	return &z->suffix;
}

const struct zone_node *zone_find(const struct zone *z, const struct dns_name *name)
{
	uint32_t at = z->names[slot_of_name(z, name)];

	return at ? &z->nodes[at - 1] : NULL;
}

const struct weft_addr *zone_addrs(const struct zone *z, const struct zone_node *n)
{
	return z->addrs + n->first;
}

const struct zone_node *zone_find_reverse(const struct zone *z, const struct dns_name *name)
{
	struct weft_addr a;
	uint32_t at;

	if (reverse_parse(name, &a))
		return NULL;
	at = z->reverse[slot_of_addr(z, &a)];
	return at ? &z->nodes[z->owners[at - 1]] : NULL;
}

size_t zone_count(const struct zone *z)
{
	size_t nr = 0;

	for (size_t i = 0; i < z->nr_nodes; i++)
		nr += z->nodes[i].nr > 0;
	return nr;
}

size_t zone_left_out(const struct zone *z)
{
	return z->left_out;
}
