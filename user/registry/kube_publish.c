/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From the store to the core: services that were made of what changed, and answers to lookups. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/kubernetes.h"

static bool is_among(const struct kube_mapped *m, const char *name)
{
	for (size_t i = 0; i < m->nr; i++)
		if (!strcmp(m->at[i]->name, name))
			return true;
	return false;
}

/* Notes what was put, and drops what was put before and is no more. */
static int keep_names(struct kubernetes *k, struct kube_entry *e, const struct kube_mapped *m)
{
	char **names = m->nr ? calloc(m->nr, sizeof(*names)) : NULL;
	int r = m->nr && !names ? -ENOMEM : 0;

	for (size_t i = 0; !r && i < m->nr; i++) {
		names[i] = strdup(m->at[i]->name);
		r = names[i] ? 0 : -ENOMEM;
	}
	if (r) {
		for (size_t i = 0; names && i < m->nr; i++)
			free(names[i]);
		free(names);
		return r;
	}
	for (size_t i = 0; i < e->nr_names; i++) {
		if (!is_among(m, e->names[i]))
			registry_drop(&k->r, e->names[i]);
		free(e->names[i]);
	}
	free(e->names);
	e->names = names;
	e->nr_names = m->nr;
	return 0;
}

static void publish_services(struct kubernetes *k, struct kube_entry *e)
{
	struct kube_mapped m = { 0 };

	if (kube_map(e->service, e->slices, &k->view, &m) || keep_names(k, e, &m))
		registry_failed(&k->r, "no memory for service %s", e->node.key);
	else
		for (size_t i = 0; i < m.nr; i++)
			registry_put(&k->r, m.at[i]);
	kube_mapped_done(&m);
}

/* ---- lookups ---- */

/* The name of a port. A number is what endpoints are to be reached by instead of theirs: the core sees to that. */
static const char *port_of(const struct lookup *l)
{
	const char *port = options_text(l->options, "port", NULL);

	return port && strspn(port, "0123456789") == strlen(port) ? NULL : port;
}

static void answer(struct kubernetes *k, struct kube_lookup *x)
{
	const struct kube_entry *e = x->entry;
	struct found f = { 0 };
	int r;

	if (!e->service && !e->slices && !x->answered) {
		lookup_failed(&x->l, "there is no service %s", e->node.key);
		return;
	}
	r = kube_find(e->service, e->slices, port_of(&x->l), &k->view, &f);
	if (r == -ENOENT) {
		lookup_failed(&x->l, "service %s has no port of name %s", e->node.key, port_of(&x->l));
		return;
	}
	if (r) {
		lookup_failed(&x->l, "no memory");
		return;
	}
	x->answered = true;
	lookup_found(&x->l, &f);
	found_done(&f);
}

static void attach(struct kubernetes *k, struct kube_lookup *x)
{
	const char *namespace = options_text(x->l.options, "namespace", k->access ? k->access->namespace : NULL);

	if (!namespace) {
		x->next_waiting = k->waiting;
		k->waiting = x;
		return;
	}
	x->entry = kube_store_entry(&k->store, namespace, options_text(x->l.options, "service", ""));
	if (!x->entry) {
		lookup_failed(&x->l, "no memory");
		return;
	}
	x->next = x->entry->lookups;
	x->entry->lookups = x;
	kube_store_dirty(&k->store, x->entry);
	kubernetes_changed(k);
}

void kube_lookups_attach(struct kubernetes *k)
{
	struct kube_lookup *all = MOVE(k->waiting, NULL), *following;

	for (struct kube_lookup *x = all; x; x = following) {
		following = x->next_waiting;
		attach(k, x);
	}
}

int kube_lookup_start(struct lookup *l)
{
	attach((struct kubernetes *)l->registry, (struct kube_lookup *)l);
	return 0;
}

void kube_lookup_stop(struct lookup *l)
{
	struct kubernetes *k = (struct kubernetes *)l->registry;
	struct kube_lookup *x = (struct kube_lookup *)l, **at;

	for (at = &k->waiting; *at; at = &(*at)->next_waiting)
		if (*at == x) {
			*at = x->next_waiting;
			break;
		}
	for (at = x->entry ? &x->entry->lookups : NULL; at && *at; at = &(*at)->next)
		if (*at == x) {
			*at = x->next;
			break;
		}
	if (x->entry)
		kube_store_settle(&k->store, x->entry);
	lookup_stopped(l);
}

/* ---- */

static void publish(struct kubernetes *k, struct kube_entry *e)
{
	publish_services(k, e);
	for (struct kube_lookup *x = e->lookups, *following; x; x = following) {
		following = x->next;
		answer(k, x);
	}
}

static void mark_dirty(void *ctx, struct kube_entry *e)
{
	kube_store_dirty(&((struct kubernetes *)ctx)->store, e);
}

void kube_publish(struct kubernetes *k)
{
	bool all = !k->synced, sync = all && k->view.serve != KUBE_SERVE_NONE;
	struct kube_entry *e;

	if (all)
		kube_store_each(&k->store, mark_dirty, k);
	if (sync)
		registry_sync_begin(&k->r);
	while ((e = kube_store_next(&k->store))) {
		publish(k, e);
		kube_store_settle(&k->store, e);
	}
	if (sync)
		registry_sync_end(&k->r);
	/* After nothing at all, which the core may not believe, the first something is all there is. */
	k->synced = k->store.services.nr > 0;
}
