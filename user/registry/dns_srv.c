/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/dns_srv.h"

#define AT_A_TIME 16 /* targets that are looked up */

struct srv_round {
	struct cares *cares;
	struct dns_answers srv;
	struct srv_targets *targets;
	size_t next;	  /* to be looked up */
	unsigned waiting; /* under way */
	srv_fn *done;
	void *ctx;
	struct srv_outcome result;
	char text[256];
};

void srv_targets_done(struct srv_targets *t)
{
	for (size_t i = 0; i < t->nr; i++)
		name_addrs_done(&t->at[i].known);
	free(t->at);
	*t = (struct srv_targets){ 0 };
}

static struct srv_target *target_find(const struct srv_targets *t, const struct dns_name *name)
{
	for (size_t i = 0; i < t->nr; i++)
		if (dns_name_equal(&t->at[i].name, name))
			return &t->at[i];
	return NULL;
}

/* ---- pure: records and addresses to endpoints ---- */

struct ranked {
	const struct dns_srv *srv;
	uint32_t rank; /* of its priority, 0: the lowest number */
	uint32_t most; /* weight among those of its priority */
};

static int by_priority(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->srv->priority != y->srv->priority)
		return x->srv->priority < y->srv->priority ? -1 : 1;
	return (x->srv > y->srv) - (x->srv < y->srv);
}

/* Priorities become ranks, since 10, 20, 30 mean no more than first, second, third. */
static void rank(struct ranked *at, size_t nr)
{
	size_t first = 0;

	qsort(at, nr, sizeof(*at), by_priority);
	for (size_t i = 0; i < nr; i++) {
		if (i && at[i].srv->priority != at[i - 1].srv->priority)
			first = i;
		at[i].rank = i == 0 ? 0 : at[i - 1].rank + (first == i);
		at[first].most = at[i].srv->weight > at[first].most ? at[i].srv->weight : at[first].most;
	}
	for (size_t i = 1; i < nr; i++)
		if (at[i].rank == at[i - 1].rank)
			at[i].most = at[i - 1].most;
}

/* A weight of 0 is "a very small chance", not none: 1. Large ones keep their proportions. */
static uint32_t weight(const struct ranked *k)
{
	uint32_t w = k->srv->weight;

	if (k->most > WEFT_WEIGHT_MAX)
		w = (uint32_t)(((uint64_t)w * WEFT_WEIGHT_MAX + k->most / 2) / k->most);
	return w ? w : 1;
}

static int add_target(const struct ranked *k, const struct srv_target *t, struct found *ret, unsigned *ret_odd)
{
	char name[DNS_TEXT_LEN];
	uint32_t w = weight(k);
	struct found_args args = { .port = k->srv->port, .weight = &w, .priority = k->rank, .name = name };
	int r;

	dns_name_text(&t->name, name, sizeof(name));
	for (int f = 0; f < 2; f++)
		for (size_t i = 0; i < t->known.nr[f]; i++) {
			args.addr = &t->known.at[f][i];
			r = found_add(ret, &args);
			if (r == -ENOMEM)
				return r;
			*ret_odd += r != 0;
		}
	return 0;
}

int srv_found(const struct dns_srv *srvs, size_t nr, const struct srv_targets *targets, struct found *ret,
	      unsigned *ret_odd)
{
	_cleanup_(freep) struct ranked *at = calloc(nr + 1, sizeof(*at));
	const struct srv_target *t;
	size_t used = 0;

	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		if (srvs[i].target.len > 1)
			at[used++].srv = &srvs[i];
	rank(at, used);
	for (size_t i = 0; i < used; i++) {
		t = target_find(targets, &at[i].srv->target);
		if (t && add_target(&at[i], t, ret, ret_odd))
			return -ENOMEM;
	}
	return 0;
}

/* ---- a round ---- */

static void note_ttl(struct srv_round *x, bool known, uint32_t ttl)
{
	if (known && ttl < x->result.ttl)
		x->result.ttl = ttl;
}

static void round_free(struct srv_round *x)
{
	found_done(&x->result.found);
	dns_answers_done(&x->srv);
	free(x);
}

/* The targets of this answer with what those of the last one are known by. */
static int set_targets(struct srv_round *x)
{
	struct srv_targets fresh = { .at = calloc(x->srv.nr_srvs + 1, sizeof(struct srv_target)) };
	struct srv_target *before, *t;

	if (!fresh.at)
		return -ENOMEM;
	for (size_t i = 0; i < x->srv.nr_srvs; i++) {
		const struct dns_name *name = &x->srv.srvs[i].target;

		if (name->len <= 1 || target_find(&fresh, name))
			continue;
		t = &fresh.at[fresh.nr++];
		t->name = *name;
		t->round = x;
		before = target_find(x->targets, name);
		if (before)
			t->known = MOVE(before->known, (struct name_addrs){ 0 });
	}
	srv_targets_done(x->targets);
	*x->targets = fresh;
	return 0;
}

/* What the server told of its own. Taken for the whole: RFC 2782 wants servers to add all or nothing of a type. */
static int take_hints(struct srv_round *x, struct srv_target *t)
{
	struct weft_addr *addrs[2] = { NULL, NULL };
	size_t nr[2] = { 0, 0 };

	for (size_t i = 0; i < x->srv.nr_hints; i++) {
		const struct dns_addr *h = &x->srv.hints[i];
		int f = weft_addr_is_v4(&h->addr) ? 0 : 1;

		if (!dns_name_equal(&x->srv.srvs[h->owner].target, &t->name))
			continue;
		if (!addrs[f])
			addrs[f] = calloc(x->srv.nr_hints, sizeof(struct weft_addr));
		if (!addrs[f]) {
			free(addrs[!f]);
			return -ENOMEM;
		}
		addrs[f][nr[f]++] = h->addr;
		note_ttl(x, true, h->ttl);
		t->outcome = OUTCOME_SOME;
	}
	if (t->outcome != OUTCOME_SOME)
		return 0;
	name_addrs_done(&t->known);
	t->known = (struct name_addrs){ { addrs[0], addrs[1] }, { nr[0], nr[1] } };
	return 0;
}

static void finish(struct srv_round *x)
{
	struct srv_outcome *o = &x->result;

	for (size_t i = 0; i < x->targets->nr; i++) {
		const struct srv_target *t = &x->targets->at[i];

		o->failed += t->outcome == OUTCOME_FAILED;
		o->missing += t->outcome == OUTCOME_FAILED && !t->known.nr[0] && !t->known.nr[1];
	}
	if (srv_found(x->srv.srvs, x->srv.nr_srvs, x->targets, &o->found, &o->odd)) {
		found_done(&o->found);
		o->failed = o->missing = (unsigned)x->targets->nr;
		snprintf(x->text, sizeof(x->text), "not enough memory");
	}
	o->text = x->text;
	x->done(x->ctx, o);
	round_free(x);
}

static void on_resolved(void *ctx, struct resolved *r);

static void failed(struct srv_round *x, const char *text)
{
	if (!*x->text)
		snprintf(x->text, sizeof(x->text), "%s", text);
}

static void go_on(struct srv_round *x)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA };
	char name[DNS_TEXT_LEN];

	while (x->next < x->targets->nr && x->waiting < AT_A_TIME) {
		struct srv_target *t = &x->targets->at[x->next++];

		if (t->outcome != OUTCOME_FAILED)
			continue;
		dns_name_text(&t->name, name, sizeof(name) - 1);
		name[strlen(name) + 1] = '\0';
		name[strlen(name)] = '.'; /* as it is */
		if (resolve_start(x->cares, name, types, 2, on_resolved, t, &t->resolve))
			failed(x, "a target that is no name, or not enough memory");
		else
			x->waiting++;
	}
	if (!x->waiting)
		finish(x);
}

static void on_resolved(void *ctx, struct resolved *r)
{
	struct srv_target *t = ctx;
	struct srv_round *x = t->round;
	bool has_ttl;
	uint32_t ttl;

	t->resolve = NULL;
	if (name_addrs_update(&t->known, r, &t->outcome, &has_ttl, &ttl))
		t->outcome = OUTCOME_FAILED;
	if (t->outcome == OUTCOME_FAILED)
		failed(x, r->text);
	else
		note_ttl(x, has_ttl, ttl);
	x->waiting--;
	go_on(x);
}

int srv_round_start(struct cares *c, struct dns_answers *srv, struct srv_targets *known, srv_fn *done, void *ctx,
		    struct srv_round **ret)
{
	struct srv_round *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return -ENOMEM;
	x->cares = c;
	x->srv = MOVE(*srv, (struct dns_answers){ 0 });
	x->targets = known;
	x->done = done;
	x->ctx = ctx;
	x->result.ttl = UINT32_MAX;
	note_ttl(x, x->srv.has_ttl, x->srv.ttl);
	r = set_targets(x);
	for (size_t i = 0; !r && i < known->nr; i++)
		r = take_hints(x, &known->at[i]);
	if (r) {
		round_free(x);
		return r;
	}
	*ret = x;
	go_on(x);
	return 0;
}

void srv_round_cancel(struct srv_round *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->targets->nr; i++)
		resolve_cancel(MOVE(x->targets->at[i].resolve, NULL));
	round_free(x);
}
