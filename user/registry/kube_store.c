/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/kube_store.h"

/* A slice in the table. */
struct holder {
	struct kube_node node;
	struct kube_mark mark;
	struct kube_slice *slice;
};

void kube_store_init(struct kube_store *s)
{
	*s = (struct kube_store){ 0 };
	s->last_dirty = &s->first_dirty;
}

static void free_entry(struct kube_store *s, struct kube_entry *e)
{
	kube_table_remove(&s->services, &e->node);
	kube_service_free(e->service);
	for (size_t i = 0; i < e->nr_names; i++)
		free(e->names[i]);
	free(e->names);
	free(e);
}

static void drop_holder(void *ctx, struct kube_node *n)
{
	struct kube_store *s = ctx;
	struct holder *h = (struct holder *)n;

	kube_table_remove(&s->slices, n);
	kube_slice_free(h->slice);
	free(h);
}

static void drop_entry(void *ctx, struct kube_node *n)
{
	free_entry(ctx, (struct kube_entry *)n);
}

void kube_store_done(struct kube_store *s)
{
	kube_table_each(&s->slices, drop_holder, s);
	kube_table_each(&s->services, drop_entry, s);
	free(s->slices.at);
	free(s->services.at);
	kube_store_init(s);
}

struct kube_entry *kube_store_find(const struct kube_store *s, const char *namespace, const char *name)
{
	return (struct kube_entry *)kube_table_find(&s->services, namespace, name);
}

struct kube_entry *kube_store_entry(struct kube_store *s, const char *namespace, const char *name)
{
	struct kube_entry *e = kube_store_find(s, namespace, name);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (e && kube_table_add(&s->services, &e->node, namespace, name)) {
		free(e);
		return NULL;
	}
	return e;
}

void kube_store_dirty(struct kube_store *s, struct kube_entry *e)
{
	if (e->dirty)
		return;
	e->dirty = true;
	e->next_dirty = NULL;
	*s->last_dirty = e;
	s->last_dirty = &e->next_dirty;
}

struct kube_entry *kube_store_next(struct kube_store *s)
{
	struct kube_entry *e = s->first_dirty;

	if (!e)
		return NULL;
	s->first_dirty = e->next_dirty;
	if (!s->first_dirty)
		s->last_dirty = &s->first_dirty;
	e->dirty = false;
	return e;
}

void kube_store_settle(struct kube_store *s, struct kube_entry *e)
{
	if (!e->service && !e->slices && !e->nr_names && !e->lookups && !e->dirty)
		free_entry(s, e);
}

int kube_store_service(struct kube_store *s, struct kube_service *service, struct kube_mark mark)
{
	struct kube_entry *e = kube_store_entry(s, service->namespace, service->name);

	if (!e) {
		kube_service_free(service);
		return -ENOMEM;
	}
	kube_service_free(e->service);
	e->service = service;
	e->mark = mark;
	kube_store_dirty(s, e);
	return 0;
}

/* Takes @slice out of the list of its Service. */
static void unlink_slice(struct kube_store *s, struct kube_slice *slice)
{
	struct kube_entry *e = slice->service ? kube_store_find(s, slice->namespace, slice->service) : NULL;

	s->nr_endpoints -= slice->nr_endpoints;
	for (struct kube_slice **at = e ? &e->slices : NULL; at && *at; at = &(*at)->next)
		if (*at == slice) {
			*at = slice->next;
			kube_store_dirty(s, e);
			return;
		}
}

static int link_slice(struct kube_store *s, struct kube_slice *slice)
{
	struct kube_entry *e;

	s->nr_endpoints += slice->nr_endpoints;
	if (!slice->service)
		return 0;
	e = kube_store_entry(s, slice->namespace, slice->service);
	if (!e)
		return -ENOMEM;
	slice->next = e->slices;
	e->slices = slice;
	kube_store_dirty(s, e);
	return 0;
}

static struct holder *find_holder(const struct kube_store *s, const char *namespace, const char *name)
{
	return (struct holder *)kube_table_find(&s->slices, namespace, name);
}

static void remove_holder(struct kube_store *s, struct holder *h)
{
	if (h->slice)
		unlink_slice(s, h->slice);
	drop_holder(s, &h->node);
}

int kube_store_slice(struct kube_store *s, struct kube_slice *slice, struct kube_mark mark)
{
	struct holder *h = find_holder(s, slice->namespace, slice->name);

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h || kube_table_add(&s->slices, &h->node, slice->namespace, slice->name)) {
			free(h);
			kube_slice_free(slice);
			return -ENOMEM;
		}
	} else if (h->slice) {
		unlink_slice(s, h->slice);
		kube_slice_free(h->slice);
	}
	h->slice = slice;
	h->mark = mark;
	if (link_slice(s, slice)) {
		s->nr_endpoints -= slice->nr_endpoints;
		drop_holder(s, &h->node);
		return -ENOMEM;
	}
	return 0;
}

void kube_store_touch(struct kube_store *s, bool slices, const struct kube_id *id, struct kube_mark mark,
		      uint64_t *ret_digest)
{
	struct holder *h = slices ? find_holder(s, id->namespace, id->name) : NULL;
	struct kube_entry *e = slices ? NULL : kube_store_find(s, id->namespace, id->name);

	*ret_digest = 0;
	if (h) {
		h->mark = mark;
		*ret_digest = h->slice->digest;
	}
	if (e && e->service) {
		e->mark = mark;
		*ret_digest = e->service->digest;
	}
}

static void forget_service(struct kube_store *s, struct kube_entry *e)
{
	kube_service_free(e->service);
	e->service = NULL;
	kube_store_dirty(s, e);
}

void kube_store_remove(struct kube_store *s, bool slices, const char *namespace, const char *name)
{
	struct holder *h = slices ? find_holder(s, namespace, name) : NULL;
	struct kube_entry *e = slices ? NULL : kube_store_find(s, namespace, name);

	if (h)
		remove_holder(s, h);
	if (e && e->service)
		forget_service(s, e);
}

struct sweep {
	struct kube_store *store;
	struct kube_mark mark;
	size_t nr;
};

static bool is_stale(const struct kube_mark *m, const struct sweep *x)
{
	return m->stream == x->mark.stream && m->generation != x->mark.generation;
}

static void sweep_slice(void *ctx, struct kube_node *n)
{
	struct holder *h = (struct holder *)n;
	struct sweep *x = ctx;

	if (is_stale(&h->mark, x))
		remove_holder(x->store, h);
}

static void sweep_service(void *ctx, struct kube_node *n)
{
	struct kube_entry *e = (struct kube_entry *)n;
	struct sweep *x = ctx;

	if (e->service && is_stale(&e->mark, x))
		forget_service(x->store, e);
}

void kube_store_sweep(struct kube_store *s, bool slices, struct kube_mark mark)
{
	struct sweep x = { .store = s, .mark = mark };

	kube_table_each(slices ? &s->slices : &s->services, slices ? sweep_slice : sweep_service, &x);
}

static void count_slice(void *ctx, struct kube_node *n)
{
	struct sweep *x = ctx;

	x->nr += ((struct holder *)n)->mark.stream == x->mark.stream;
}

static void count_service(void *ctx, struct kube_node *n)
{
	struct kube_entry *e = (struct kube_entry *)n;
	struct sweep *x = ctx;

	x->nr += e->service && e->mark.stream == x->mark.stream;
}

size_t kube_store_count(const struct kube_store *s, bool slices, uint32_t stream)
{
	struct sweep x = { .mark = { .stream = stream } };

	kube_table_each(slices ? &s->slices : &s->services, slices ? count_slice : count_service, &x);
	return x.nr;
}

struct each {
	void (*fn)(void *ctx, struct kube_entry *e);
	void *ctx;
};

static void call(void *ctx, struct kube_node *n)
{
	struct each *x = ctx;

	x->fn(x->ctx, (struct kube_entry *)n);
}

void kube_store_each(struct kube_store *s, void (*fn)(void *ctx, struct kube_entry *e), void *ctx)
{
	struct each x = { fn, ctx };

	kube_table_each(&s->services, call, &x);
}
