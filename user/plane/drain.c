/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/diag.h"
#include "plane/drain.h"
#include "plane/netns.h"
#include "plane/netns_cookie.h"
#include "weft/drain.h"

#define TCP_OF_KERNEL_CLOSE 7

/* Sockets that something has to happen to, in the order in which they are found. */
struct todo {
	const struct maps *m;
	uint64_t now;
	struct weft_flow_record *record;
	size_t nr, room;
	unsigned due; /* of them those that are to end now */
};

static void todo_done(struct todo *t)
{
	free(t->record);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

enum wanted { WANTS_NOTHING, WANTS_ARMING, WANTS_END };

static enum wanted wanted(const struct todo *t, const struct weft_flow *flow)
{
	const struct weft_backend *b;
	const struct weft_bstate *s;

	if (flow->backend >= t->m->capacity[PLANE_MAP_BACKENDS])
		return WANTS_NOTHING;
	b = &t->m->backends[flow->backend];
	s = &t->m->bstate[flow->backend];
	if (flow->proto == IPPROTO_UDP)
		return weft_drain_vanished(b, s, flow->gen, t->now) ? WANTS_END : WANTS_NOTHING;
	if (weft_drain_due(b, s, flow->gen, t->now))
		return WANTS_END;
	return !weft_drain_deadline(b, s, flow->gen) != !(flow->flags & WEFT_FLOW_F_ARMED) ? WANTS_ARMING
											   : WANTS_NOTHING;
}

static int note(void *ctx, const struct weft_flow_record *record)
{
	struct todo *t = ctx;
	enum wanted w = wanted(t, &record->flow);
	struct weft_flow_record *more;

	if (w == WANTS_NOTHING)
		return 0;
	t->due += w == WANTS_END;
	if (t->nr == t->room) {
		more = reallocarray(t->record, t->room * 2 + 64, sizeof(*more));
		if (!more)
			return -ENOMEM;
		t->record = more;
		t->room = t->room * 2 + 64;
	}
	t->record[t->nr++] = *record;
	return 0;
}

static int by_namespace(const void *a, const void *b)
{
	const struct weft_flow_record *x = a, *y = b;

	return (x->netns > y->netns) - (x->netns < y->netns);
}

static int look(struct todo *t)
{
	t->nr = 0;
	t->due = 0;
	t->now = now_ns();
	return maps_each_flow(t->m, note, t);
}

/* Reads the iterator @name to its end: that is what makes it work. In the caller's namespace. */
static int read_iterator(const struct maps *m, const char *name, struct drain_result *ret)
{
	_cleanup_(closep) int fd = -1;
	uint32_t did[256];
	char path[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	for (;;) {
		n = read(fd, did, sizeof(did));
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n ? -errno : 0;
		for (size_t i = 0; i < (size_t)n / sizeof(did[0]); i++) {
			ret->closed += did[i] == WEFT_DRAIN_CLOSED;
			ret->released += did[i] == WEFT_DRAIN_RELEASED;
			ret->armed += did[i] == WEFT_DRAIN_ARMED;
		}
	}
}

/* Without iterators that close: one by one. */
static int destroy_each(const struct todo *t, const struct weft_flow_record *r, size_t nr, struct drain_result *ret)
{
	_cleanup_(closep) int fd = diag_open();
	int error = 0, one;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < nr; i++) {
		bool tcp = r[i].flow.proto == IPPROTO_TCP;

		if (wanted(t, &r[i].flow) != WANTS_END)
			continue;
		if (tcp ? r[i].flow.state != WEFT_FLOW_ESTABLISHED : r[i].sk_state == TCP_OF_KERNEL_CLOSE)
			continue;
		one = diag_destroy(fd, &r[i]);
		ret->closed += one == 0 && tcp;
		ret->released += one == 0 && !tcp;
		if (one && one != -ENOENT && !error)
			error = one;
	}
	return error;
}

static int work(const struct todo *t, const struct weft_flow_record *r, size_t nr, struct drain_result *ret)
{
	unsigned tcp = 0, udp = 0;
	int error = 0, other = 0;

	for (size_t i = 0; i < nr; i++) {
		tcp += r[i].flow.proto == IPPROTO_TCP;
		udp += r[i].flow.proto == IPPROTO_UDP;
	}
	if (tcp)
		error = read_iterator(t->m, DRAIN_ITER_TCP, ret);
	if (udp)
		other = read_iterator(t->m, DRAIN_ITER_UDP, ret);
	if (!error)
		error = other;
	return error == -ENOENT ? destroy_each(t, r, nr, ret) : error;
}

/* @nr records of one namespace. */
static int work_in(const struct todo *t, const struct weft_flow_record *r, size_t nr, struct drain_result *ret)
{
	_cleanup_(closep) int fd = -1;
	int back, error;

	if (netns_is_own(r->netns))
		return work(t, r, nr, ret);
	fd = netns_open(r->netns);
	if (fd < 0)
		return fd;
	error = netns_enter_fd(fd, &back);
	if (error)
		return error;
	error = work(t, r, nr, ret);
	netns_leave(back);
	return error;
}

unsigned maps_drain_next(const struct maps *m, uint64_t now, uint64_t *ret_next_ns)
{
	unsigned nr = 0;

	*ret_next_ns = 0;
	for (uint32_t i = 1; i < m->capacity[PLANE_MAP_BACKENDS]; i++) {
		uint64_t at = __atomic_load_n(&m->bstate[i].drain_ns, __ATOMIC_RELAXED);

		if (!at || !(m->backends[i].flags & WEFT_BACKEND_F_USED) || !m->bstate[i].active)
			continue;
		nr++;
		if (at > now && (!*ret_next_ns || at < *ret_next_ns))
			*ret_next_ns = at;
	}
	return nr;
}

int maps_drain(const struct maps *m, struct drain_result *ret)
{
	_cleanup_(todo_done) struct todo t = { .m = m };
	size_t from = 0, to;
	int r, error = 0;

	*ret = (struct drain_result){ 0 };
	ret->endpoints = maps_drain_next(m, now_ns(), &ret->next_ns);
	/* First what works without us. */
	if (ret->endpoints)
		error = drain_fence_up(m);
	r = look(&t);
	if (r)
		return r;
	if (t.nr)
		qsort(t.record, t.nr, sizeof(*t.record), by_namespace);
	for (; from < t.nr; from = to) {
		for (to = from + 1; to < t.nr && t.record[to].netns == t.record[from].netns; to++)
			continue;
		r = work_in(&t, &t.record[from], to - from, ret);
		if (r && !error)
			error = r;
	}
	if (t.nr) {
		r = look(&t);
		ret->left = t.due;
	}
	/* A look at all endpoints is dear where there are many. Who begins a drain meanwhile makes the agent look
	 * again. */
	if (ret->endpoints)
		ret->endpoints = maps_drain_next(m, now_ns(), &ret->next_ns);
	if (!ret->endpoints)
		drain_fence_down(m);
	ret->error = error;
	return r < 0 ? r : 0;
}

static bool is_endpoint(const struct maps *m, uint32_t backend, uint32_t gen)
{
	return backend && backend < m->capacity[PLANE_MAP_BACKENDS] &&
	       m->backends[backend].flags & WEFT_BACKEND_F_USED && m->backends[backend].gen == gen;
}

int maps_drain_begin(const struct maps *m, uint32_t backend, uint32_t gen, uint64_t until_ns)
{
	int r;

	if (!m->writable)
		return -EPERM;
	if (!is_endpoint(m, backend, gen))
		return -ENOENT;
	/* First, so that nobody sees it drained without its deadline. */
	__atomic_store_n(&m->bstate[backend].drain_ns, until_ns, __ATOMIC_RELEASE);
	r = maps_out_set(m, backend, gen, WEFT_OUT_DRAINED);
	__atomic_fetch_add(&m->config->drains, 1, __ATOMIC_RELEASE);
	return r < 0 ? r : 0;
}

int maps_drain_end(const struct maps *m, uint32_t backend, uint32_t gen, uint64_t now)
{
	struct weft_bstate *s;
	uint32_t out;

	if (!m->writable)
		return -EPERM;
	if (!is_endpoint(m, backend, gen))
		return -ENOENT;
	s = &m->bstate[backend];
	out = __atomic_load_n(&s->out, __ATOMIC_ACQUIRE);
	if (!(out & WEFT_OUT_DRAINED))
		return 0;
	/* What its source says of it goes on. */
	if (!(out & WEFT_OUT_UNREADY) && !(m->backends[backend].flags & WEFT_BACKEND_F_DRAINING))
		__atomic_store_n(&s->drain_ns, 0, __ATOMIC_RELEASE);
	/* It comes back to nothing: slow start counts from here. */
	if (!(out & ~(uint32_t)WEFT_OUT_DRAINED))
		__atomic_store_n(&s->since_ns, now, __ATOMIC_RELEASE);
	maps_out_clear(m, backend, gen, WEFT_OUT_DRAINED);
	__atomic_fetch_add(&m->config->drains, 1, __ATOMIC_RELEASE);
	return 1;
}
