/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The agent's part in keeping weft_sstate.unavailable and .ejected true, and ejections that a killed agent had begun.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "plane/state.h"
#include "plane/tally.h"
#include "weft/outlier.h"

/* Endpoints looked at in a call of recount_some(): all of a small node, and no more than some 100 us of a large one. */
#define SOME 4096u

static struct tally count(const struct plane *p, const struct holding *h)
{
	struct tally t = { .ejected = 0 };

	for (uint32_t i = 0; i < h->nr; i++)
		tally_add(p->m, h->backends[i], &t);
	for (uint32_t i = 0; i < h->nr_draining; i++)
		tally_add(p->m, h->draining[i].id, &t);
	return t;
}

bool recount(struct plane *p, uint32_t service)
{
	struct tally t = count(p, &p->held[service]);

	return tally_store(p->m, service, &t);
}

/* The CLI changes .out too, and may be stopped between that and the counter for longer than a grace period. */
void recount_some(struct plane *p)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < p->services.capacity && seen < SOME; i++) {
		struct holding *h;

		p->next_tally = p->next_tally + 1 < p->services.capacity ? p->next_tally + 1 : 1;
		h = &p->held[p->next_tally];
		if (h->state == HOLDING_FREE || h->unsettled)
			continue;
		seen += h->nr + h->nr_draining;
		if (!recount(p, p->next_tally))
			unsettle(p, p->next_tally);
	}
}

int claims_note(struct plane *p)
{
	size_t nr = 0;

	for (int fill = 0; fill < 2; fill++) {
		for (uint32_t id = 1; id < p->backends.capacity; id++) {
			uint64_t word = p->m->bstate[id].ejected_until_ns;

			if (!(p->m->backends[id].flags & WEFT_BACKEND_F_USED) || !(word & WEFT_OUTLIER_CLAIM))
				continue;
			if (fill && p->nr_claims < nr)
				p->claims[p->nr_claims++] = (struct claim){ id, word };
			nr += !fill;
		}
		if (!nr)
			return 0;
		if (!fill)
			p->claims = calloc(nr, sizeof(*p->claims));
		if (!p->claims)
			return -ENOMEM;
	}
	p->resting = true;
	return 0;
}

/*
 * A grace period after claims_note(): no program had begun what is still as it was. The endpoint is as ejected as its
 * time says; its service is counted anew.
 */
void claims_finish(struct plane *p)
{
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	for (size_t i = 0; i < p->nr_claims; i++) {
		uint32_t id = p->claims[i].backend;
		struct weft_bstate *b = &p->m->bstate[id];
		uint64_t word = p->claims[i].word, until = word & ~WEFT_OUTLIER_CLAIM;
		uint32_t *unavailable = maps_unavailable(p->m, id);

		if (__atomic_load_n(&b->ejected_until_ns, __ATOMIC_ACQUIRE) != word)
			continue;
		if (until > now)
			weft_out_set(b, unavailable, WEFT_OUT_EJECTED);
		else
			weft_out_clear(b, unavailable, WEFT_OUT_EJECTED);
		__atomic_compare_exchange_n(&b->ejected_until_ns, &word, until > now ? until : 0, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
		unsettle(p, p->m->backends[id].service);
	}
	free(p->claims);
	p->claims = NULL;
	p->nr_claims = 0;
}
