/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Clocks, samples and rounds. A figure is the median of rounds; its spread is printed next to it, so that noise can be
 * seen. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 32

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* CPU time of this process, user and system, in ns; finer than getrusage()'s ticks. */
static inline uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* CPU time of another process, all of its threads; 0 when it is gone. */
static inline uint64_t cpu_of(pid_t pid)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) ? 0 : clock_ns(clock);
}

static inline void sleep_ns(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

/* xorshift64*: repeatable and cheap; the state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* Times of single calls within one round, in ns. When full, the rest of the round is not recorded. */
struct samples {
	uint32_t *ns;
	size_t nr, capacity;
};

static inline int samples_init(struct samples *s, size_t capacity)
{
	s->ns = malloc(capacity * sizeof(*s->ns));
	s->nr = 0;
	s->capacity = s->ns ? capacity : 0;
	return s->ns ? 0 : -ENOMEM;
}

static inline void samples_add(struct samples *s, uint64_t ns)
{
	if (s->nr < s->capacity)
		s->ns[s->nr++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static inline int samples_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static inline void samples_sort(struct samples *s)
{
	qsort(s->ns, s->nr, sizeof(*s->ns), samples_order);
}

/* Of sorted samples; @q from 0 to 1. */
static inline double samples_at(const struct samples *s, double q)
{
	size_t i;

	if (!s->nr)
		return 0;
	i = (size_t)(q * (double)(s->nr - 1) + 0.5);
	return s->ns[i];
}

/* One figure over the rounds. */
struct series {
	double v[ROUNDS_MAX];
	unsigned nr;
};

static inline void series_add(struct series *s, double v)
{
	if (s->nr < ROUNDS_MAX)
		s->v[s->nr++] = v;
}

static inline int series_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline void series_summary(const struct series *s, double *ret_median, double *ret_min, double *ret_max)
{
	double v[ROUNDS_MAX];

	*ret_median = *ret_min = *ret_max = 0;
	if (!s->nr)
		return;
	memcpy(v, s->v, s->nr * sizeof(*v));
	qsort(v, s->nr, sizeof(*v), series_order);
	*ret_min = v[0];
	*ret_max = v[s->nr - 1];
	*ret_median = s->nr % 2 ? v[s->nr / 2] : (v[s->nr / 2 - 1] + v[s->nr / 2]) / 2;
}

/* Round by round, since the two sides of one round ran next to each other: what slowed one slowed the other. */
static inline struct series series_ratio(const struct series *a, const struct series *b)
{
	struct series r = { .nr = 0 };

	for (unsigned i = 0; i < a->nr && i < b->nr; i++)
		if (b->v[i] > 0)
			series_add(&r, a->v[i] / b->v[i]);
	return r;
}

#endif
