/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Many threads that begin at the same moment. */
#ifndef CROWD_H
#define CROWD_H

#include <pthread.h>

#include "unit.h"

#define CROWD_MAX 64

struct crowd_member {
	pthread_t thread;
	pthread_barrier_t *start;
	void (*run)(void *shared, unsigned number);
	void *shared;
	unsigned number;
};

static inline void *crowd_member_main(void *arg)
{
	struct crowd_member *m = arg;

	pthread_barrier_wait(m->start);
	m->run(m->shared, m->number);
	return NULL;
}

/* Calls @run with 0..@n-1 in threads of their own; returns when all have. No assertions in @run. */
static inline void crowd(unsigned n, void (*run)(void *shared, unsigned number), void *shared)
{
	struct crowd_member m[CROWD_MAX];
	pthread_barrier_t start;

	ck_assert_uint_le(n, CROWD_MAX);
	ck_assert_int_eq(pthread_barrier_init(&start, NULL, n), 0);
	for (unsigned i = 0; i < n; i++) {
		m[i] = (struct crowd_member){ .start = &start, .run = run, .shared = shared, .number = i };
		ck_assert_int_eq(pthread_create(&m[i].thread, NULL, crowd_member_main, &m[i]), 0);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(m[i].thread, NULL);
	pthread_barrier_destroy(&start);
}

#endif
