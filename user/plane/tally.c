/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "plane/tally.h"

void tally_add(const struct maps *m, uint32_t backend, struct tally *t)
{
	const struct weft_backend *b = &m->backends[backend];
	uint32_t out = __atomic_load_n(&m->bstate[backend].out, __ATOMIC_RELAXED);

	if (out && b->flags & WEFT_BACKEND_F_READY && b->level < WEFT_LEVELS)
		t->unavailable[b->level]++;
	if (out & WEFT_OUT_EJECTED)
		t->ejected++;
}

/* By compare-and-exchange: a change that comes between makes another count necessary, and is not lost. */
static bool store_one(uint32_t *counter, uint32_t value)
{
	uint32_t was = __atomic_load_n(counter, __ATOMIC_RELAXED);

	if (was == value)
		return true;
	__atomic_compare_exchange_n(counter, &was, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return false;
}

bool tally_store(const struct maps *m, uint32_t service, const struct tally *t)
{
	struct weft_sstate *s = &m->sstate[service];
	bool right = store_one(&s->ejected, t->ejected);

	for (int i = 0; i < WEFT_LEVELS; i++)
		right &= store_one(&s->unavailable[i], t->unavailable[i]);
	return right;
}
