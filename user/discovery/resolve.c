/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/resolve.h"

#define CANDIDATES_MAX 16

struct part {
	struct resolve *x;
	struct cares_query *query; /* NULL: not under way */
};

struct resolve {
	struct cares *cares;
	resolve_fn *done;
	void *ctx;
	struct dns_name candidate[CANDIDATES_MAX];
	unsigned nr, at;
	struct part part[RESOLVE_TYPES];
	unsigned waiting;
	struct resolved result;
	bool failed[RESOLVE_TYPES]; /* an earlier candidate did */
	char text[256];
};

static void resolve_free(struct resolve *x)
{
	for (unsigned i = 0; i < x->result.nr; i++)
		dns_answers_done(&x->result.part[i].answers);
	free(x);
}

static void add_candidate(struct resolve *x, const struct dns_name *name)
{
	if (x->nr < CANDIDATES_MAX)
		x->candidate[x->nr++] = *name;
}

/* As resolv.conf(5) says: as it is first when it has dots enough, else last. */
static int list_candidates(struct resolve *x, const char *name)
{
	struct dns_name plain, whole, domain;
	unsigned dots = 0;
	bool absolute;

	if (dns_name_parse(name, &plain))
		return -EINVAL;
	for (const char *at = name; *at; at++)
		dots += *at == '.';
	absolute = name[strlen(name) - 1] == '.';
	if (absolute || dots >= cares_ndots(x->cares))
		add_candidate(x, &plain);
	for (char *const *s = cares_search(x->cares); !absolute && *s && x->nr < CANDIDATES_MAX - 1; s++) {
		whole = plain;
		if (dns_name_parse(*s, &domain) == 0 && dns_name_append(&whole, &domain) == 0)
			add_candidate(x, &whole);
	}
	if (!absolute && dots < cares_ndots(x->cares))
		add_candidate(x, &plain);
	return 0;
}

static void note(struct resolve *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct resolve *x, const char *fmt, ...)
{
	va_list ap;

	if (*x->text)
		return;
	va_start(ap, fmt);
	vsnprintf(x->text, sizeof(x->text), fmt, ap);
	va_end(ap);
}

static void on_answer(void *ctx, int error, const char *text, const uint8_t *bytes, size_t len);

/* 0 or -ENOMEM, and then nothing is under way. */
static int ask(struct resolve *x)
{
	char text[DNS_TEXT_LEN];
	int r;

	dns_name_text(&x->candidate[x->at], text, sizeof(text));
	for (unsigned i = 0; i < x->result.nr; i++) {
		r = cares_ask(x->cares, text, x->result.part[i].type, on_answer, &x->part[i], &x->part[i].query);
		if (r) {
			while (i-- > 0)
				cares_forget(MOVE(x->part[i].query, NULL));
			return r;
		}
	}
	x->waiting = x->result.nr;
	return 0;
}

static void report(struct resolve *x)
{
	for (unsigned i = 0; i < x->result.nr; i++)
		if (x->result.part[i].outcome == OUTCOME_NONE && x->failed[i])
			x->result.part[i].outcome = OUTCOME_FAILED;
	x->result.text = x->text;
	x->done(x->ctx, &x->result);
	resolve_free(x);
}

/* All types of one candidate are answered. */
static void judge(struct resolve *x)
{
	bool some = false;

	for (unsigned i = 0; i < x->result.nr; i++)
		some |= x->result.part[i].outcome == OUTCOME_SOME;
	if (some)
		memset(x->failed, 0, sizeof(x->failed)); /* of other names */
	/* Who is not reached is not asked for other names, either. */
	if (some || x->result.unreachable || x->at + 1 == x->nr) {
		report(x);
		return;
	}
	for (unsigned i = 0; i < x->result.nr; i++) {
		x->failed[i] |= x->result.part[i].outcome == OUTCOME_FAILED;
		dns_answers_done(&x->result.part[i].answers);
		x->result.part[i].outcome = OUTCOME_FAILED;
	}
	x->at++;
	if (ask(x)) {
		note(x, "not enough memory");
		report(x);
	}
}

static void on_answer(void *ctx, int error, const char *text, const uint8_t *bytes, size_t len)
{
	struct part *p = ctx;
	struct resolve *x = p->x;
	struct resolved_part *to = &x->result.part[p - x->part];
	struct dns_answers *a = &to->answers;
	char name[DNS_TEXT_LEN];

	p->query = NULL;
	dns_name_text(&x->candidate[x->at], name, sizeof(name));
	if (error) {
		x->result.unreachable |= error == -ETIMEDOUT || error == -ECONNREFUSED;
		note(x, "%.128s: %s", name, text);
	} else if (dns_answers_read(bytes, len, &x->candidate[x->at], to->type, a)) {
		note(x, "%.128s: a response that makes no sense", name);
	} else if (a->rcode != DNS_NOERROR && a->rcode != DNS_NXDOMAIN) {
		note(x, "%.128s: the server answers %s", name, dns_rcode_text(a->rcode));
	} else {
		to->outcome = a->nr_addrs || a->nr_srvs ? OUTCOME_SOME : OUTCOME_NONE;
	}
	if (--x->waiting == 0)
		judge(x);
}

int resolve_start(struct cares *c, const char *name, const uint16_t *types, unsigned nr, resolve_fn *done, void *ctx,
		  struct resolve **ret)
{
	struct resolve *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return -ENOMEM;
	x->cares = c;
	x->done = done;
	x->ctx = ctx;
	x->result.nr = nr;
	for (unsigned i = 0; i < nr; i++) {
		x->part[i].x = x;
		x->result.part[i].type = types[i];
	}
	r = list_candidates(x, name);
	if (!r)
		r = ask(x);
	if (r) {
		free(x);
		return r;
	}
	*ret = x;
	return 0;
}

void resolve_cancel(struct resolve *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < x->result.nr; i++)
		cares_forget(x->part[i].query);
	resolve_free(x);
}

/* ---- addresses of a name, kept ---- */

static int copy_addrs(const struct dns_answers *from, struct weft_addr **ret)
{
	struct weft_addr *at = calloc(from->nr_addrs + 1, sizeof(*at));

	for (size_t i = 0; at && i < from->nr_addrs; i++)
		at[i] = from->addrs[i].addr;
	*ret = at;
	return at ? 0 : -ENOMEM;
}

static enum outcome both(const struct resolved *r, bool *ret_has_ttl, uint32_t *ret_ttl)
{
	enum outcome o = OUTCOME_NONE;

	for (unsigned i = 0; i < r->nr; i++)
		if (r->part[i].outcome == OUTCOME_SOME)
			o = OUTCOME_SOME;
		else if (r->part[i].outcome == OUTCOME_FAILED && o == OUTCOME_NONE)
			o = OUTCOME_FAILED;
	*ret_has_ttl = false;
	*ret_ttl = UINT32_MAX;
	for (unsigned i = 0; i < r->nr; i++)
		if (r->part[i].outcome == o && r->part[i].answers.has_ttl) {
			*ret_has_ttl = true;
			if (r->part[i].answers.ttl < *ret_ttl)
				*ret_ttl = r->part[i].answers.ttl;
		}
	return o;
}

int name_addrs_update(struct name_addrs *a, const struct resolved *r, enum outcome *ret, bool *ret_has_ttl,
		      uint32_t *ret_ttl)
{
	struct weft_addr *fresh[2] = { NULL, NULL };

	*ret = both(r, ret_has_ttl, ret_ttl);
	if (*ret == OUTCOME_FAILED)
		return 0;
	for (unsigned i = 0; i < r->nr; i++)
		if (r->part[i].outcome != OUTCOME_FAILED && copy_addrs(&r->part[i].answers, &fresh[i])) {
			free(fresh[0]);
			return -ENOMEM;
		}
	for (unsigned i = 0; i < r->nr; i++) {
		if (!fresh[i])
			continue;
		free(a->at[i]);
		a->at[i] = fresh[i];
		a->nr[i] = r->part[i].answers.nr_addrs;
	}
	return 0;
}

void name_addrs_done(struct name_addrs *a)
{
	free(a->at[0]);
	free(a->at[1]);
	*a = (struct name_addrs){ 0 };
}
