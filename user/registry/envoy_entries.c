/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Clusters of CDS: each answer names all there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/envoy.h"

/* ---- the table ---- */

static size_t place_of(const struct envoy *e, const char *key, bool *ret_there)
{
	size_t low = 0, high = e->nr_entries;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = strcmp(e->entries[middle]->key, key);

		if (!r) {
			*ret_there = true;
			return middle;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_there = false;
	return low;
}

static void on_hosts_changed(void *ctx)
{
	struct envoy_entry *x = ctx;

	envoy_entry_settle(x);
	envoy_entry_publish(x);
}

static struct envoy_entry *entry_new(struct envoy *e, const char *key)
{
	struct envoy_entry *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->key = strdup(key);
	if (!x->key) {
		free(x);
		return NULL;
	}
	x->e = e;
	x->hosts.changed = on_hosts_changed;
	x->hosts.ctx = x;
	if (!envoy_service_name(key, x->name, sizeof(x->name)))
		*x->name = '\0';
	return x;
}

static struct envoy_entry *entry_of(struct envoy *e, const char *key)
{
	bool there;
	size_t i = place_of(e, key, &there);
	struct envoy_entry *x;

	if (there)
		return e->entries[i];
	if (e->nr_entries == e->entries_capacity) {
		size_t want = e->entries_capacity ? e->entries_capacity * 2 : 16;
		struct envoy_entry **more = reallocarray(e->entries, want, sizeof(*more));

		if (!more)
			return NULL;
		e->entries = more;
		e->entries_capacity = want;
	}
	x = entry_new(e, key);
	if (!x)
		return NULL;
	memmove(&e->entries[i + 1], &e->entries[i], (e->nr_entries - i) * sizeof(*e->entries));
	e->nr_entries++;
	e->entries[i] = x;
	return x;
}

static void entry_free(struct envoy_entry *x)
{
	if (x->wanting)
		envoy_want_stop(x->e, &x->want);
	hosts_done(&x->hosts);
	found_done(&x->found);
	envoy_cluster_done(&x->c);
	json_decref(x->json);
	free(x->key);
	free(x);
}

void envoy_entries_close(struct envoy *e)
{
	for (size_t i = 0; i < e->nr_entries; i++)
		entry_free(e->entries[i]);
	free(e->entries);
	e->entries = NULL;
	e->nr_entries = 0;
}

/* ---- endpoints ---- */

static void decode(struct envoy_entry *x, const json_t *assignment)
{
	struct envoy_odd odd = { 0 };
	struct found f = { 0 };
	char why[192];
	int r = envoy_endpoints(assignment, &x->c.reading, &f, &odd, why, sizeof(why));

	if (odd.nr)
		registry_odd(&x->e->r, "cluster %s: %u things in its endpoints that cannot be used; the first: %s",
			     x->key, odd.nr, odd.text);
	if (r) {
		registry_odd(&x->e->r, "cluster %s: %s", x->key, r == -ENOMEM ? "no memory" : why);
		envoy_entry_settle(x);
		return;
	}
	envoy_entry_found(x, &f);
}

static void on_answer(struct envoy_want *w, const json_t *assignment)
{
	decode((struct envoy_entry *)w, assignment);
}

static void on_failed(struct envoy_want *w, const char *why)
{
	struct envoy_entry *x = (struct envoy_entry *)w;

	registry_odd(&x->e->r, "cluster %s: %s", x->key, why);
	envoy_entry_settle(x);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void want(struct envoy_entry *x)
{
	x->want.answer = on_answer;
	x->want.failed = on_failed;
	if (!x->c.eds_path && !x->e->servers.nr) {
		registry_odd(&x->e->r, "cluster %s: no server is written to ask for its endpoints", x->key);
		envoy_entry_settle(x);
		return;
	}
	x->wanting = envoy_want_start(x->e, &x->want, x->c.eds_name, x->c.eds_path) == 0;
	if (!x->wanting)
		envoy_entry_settle(x);
}

/* Takes over @c. Endpoints that were found stay until there are others. */
static void exchange(struct envoy_entry *x, struct envoy_cluster *c)
{
	struct envoy_cluster old = x->c;
	bool goes_on = x->wanting && c->eds && same(old.eds_name, c->eds_name) && same(old.eds_path, c->eds_path) &&
		       old.reading.locality_weights == c->reading.locality_weights;

	if (goes_on) { /* the names are borrowed by the want */
		free(c->eds_name);
		free(c->eds_path);
		c->eds_name = MOVE(old.eds_name, NULL);
		c->eds_path = MOVE(old.eds_path, NULL);
	} else if (x->wanting) {
		x->wanting = false;
		envoy_want_stop(x->e, &x->want);
	}
	x->c = *c;
	envoy_cluster_done(&old);
	if (!c->eds)
		decode(x, c->assignment);
	else if (!goes_on)
		want(x);
	x->c.assignment = NULL;
}

/* ---- answers ---- */

/* 0; -EBADMSG: it cannot be used, but it is there; -ENOMEM. */
static int take_cluster(struct envoy *e, const json_t *cluster)
{
	const char *key = envoy_cluster_name(cluster);
	struct envoy_entry *x = key ? entry_of(e, key) : NULL;
	struct envoy_odd odd = { 0 };
	struct envoy_cluster c;
	char why[192];
	int r;

	if (!x)
		return key ? -ENOMEM : -EBADMSG;
	if (x->seen)
		return 0; /* named twice: the first counts */
	x->seen = true;
	if (x->json && x->c.service && json_equal(x->json, cluster))
		return 0;
	r = envoy_cluster(cluster, &c, &odd, why, sizeof(why));
	if (r) {
		if (!x->json || !json_equal(x->json, cluster))
			registry_odd(&e->r, "cluster %s: %s", key, r == -ENOMEM ? "no memory" : why);
		envoy_entry_settle(x);
		return r;
	}
	if (odd.nr)
		registry_odd(&e->r, "cluster %s: %u things that are not taken over; the first: %s", key, odd.nr,
			     odd.text);
	json_decref(x->json);
	x->json = json_incref((json_t *)cluster);
	exchange(x, &c);
	return 0;
}

static void drop_unseen(struct envoy *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->nr_entries; i++) {
		if (e->entries[i]->seen)
			e->entries[kept++] = e->entries[i];
		else
			entry_free(e->entries[i]);
	}
	e->nr_entries = kept;
}

/* It has none any more: as an empty answer it is held by the core, and then so are we. */
static int take_nothing(struct envoy *e)
{
	if (e->believes_empty)
		drop_unseen(e);
	if (e->said_empty) {
		registry_heard(&e->r);
		return 0;
	}
	e->said_empty = e->synced = true;
	registry_sync_begin(&e->r);
	registry_sync_end(&e->r);
	return 0;
}

/* How many cannot be used, or -ENOMEM. */
static long take_each(struct envoy *e, const json_t *resources)
{
	const json_t *at, *cluster;
	long bad = 0;
	size_t i;

	json_array_foreach(resources, i, at)
	{
		int r;

		cluster = envoy_resource(at, "Cluster");
		r = cluster ? take_cluster(e, cluster) : -EBADMSG;
		if (r == -ENOMEM)
			return r;
		bad += r != 0;
	}
	return bad;
}

int envoy_entries_take(struct envoy *e, const json_t *resources, char *why, size_t why_len)
{
	size_t nr = json_array_size(resources);
	long bad;

	for (size_t i = 0; i < e->nr_entries; i++)
		e->entries[i]->seen = false;
	if (!nr)
		return take_nothing(e);
	e->taking = true;
	bad = take_each(e, resources);
	e->taking = false;
	if (bad < 0 || (size_t)bad == nr) {
		snprintf(why, why_len, "none of its %zu clusters can be used", nr);
		return -EBADMSG;
	}
	e->said_empty = false;
	drop_unseen(e);
	envoy_sync(e);
	return 0;
}
