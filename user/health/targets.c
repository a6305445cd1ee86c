/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "health/inside.h"

#define ROOM_MIN 64

static uint16_t check_port(const struct service *s, const struct member *m)
{
	return s->check.port ? s->check.port : m->port;
}

/* Of address and port alone: targets that differ in nothing but the check are few. */
static uint64_t hash_of(const struct weft_addr *addr, uint16_t port)
{
	uint64_t h = 0xcbf29ce484222325ull ^ port;

	for (size_t i = 0; i < sizeof(addr->byte); i++)
		h = (h ^ addr->byte[i]) * 0x100000001b3ull;
	return h ^ h >> 32;
}

/* A command is told the service and the endpoint's port, so it is another one for each. */
static bool is_same_check(const struct target *t, const struct service *s, const struct member *m)
{
	if (!health_check_equal(&t->owner->check, &s->check))
		return false;
	return s->check.type != HEALTH_EXEC || (strcmp(t->owner->name, s->name) == 0 && t->members->port == m->port);
}

static struct target *find(const struct targets *all, const struct service *s, const struct member *m, uint64_t hash)
{
	uint16_t port = check_port(s, m);
	struct target *t = all->room ? all->bucket[hash & (all->room - 1)] : NULL;

	while (t &&
	       (t->hash != hash || t->port != port || !weft_addr_equal(&t->addr, &m->addr) || !is_same_check(t, s, m)))
		t = t->next;
	return t;
}

static int grow(struct targets *all)
{
	size_t room = all->room ? all->room * 2 : ROOM_MIN;
	struct target **bucket;

	if (all->nr < all->room)
		return 0;
	bucket = calloc(room, sizeof(struct target *));
	if (!bucket)
		return -ENOMEM;
	for (size_t i = 0; i < all->room; i++) {
		while (all->bucket[i]) {
			struct target *t = all->bucket[i];

			all->bucket[i] = t->next;
			t->next = bucket[t->hash & (room - 1)];
			bucket[t->hash & (room - 1)] = t;
		}
	}
	free(all->bucket);
	all->bucket = bucket;
	all->room = room;
	return 0;
}

static struct target *new_target(struct health *h, struct service *s, const struct member *m, uint64_t hash)
{
	struct targets *all = &h->targets;
	struct target *t;

	/* Room for all of them in both lanes: scheduling cannot fail. */
	if (grow(all) < 0 || heap_reserve(&h->lane[0].heap, all->nr + 1) < 0 ||
	    heap_reserve(&h->lane[1].heap, all->nr + 1) < 0)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->owner = service_ref(s);
	t->addr = m->addr;
	t->port = check_port(s, m);
	t->hash = hash;
	t->command = s->check.type == HEALTH_EXEC;
	t->next = all->bucket[hash & (all->room - 1)];
	all->bucket[hash & (all->room - 1)] = t;
	all->nr++;
	t->next_new = all->new;
	all->new = t;
	all->nr_new++;
	return t;
}

struct lane *target_lane(struct health *h, const struct target *t)
{
	return &h->lane[t->command];
}

static void set_owner(struct target *t, struct service *s)
{
	service_unref(MOVE(t->owner, service_ref(s)));
}

static void remove_target(struct health *h, struct target *t)
{
	struct target **at = &h->targets.bucket[t->hash & (h->targets.room - 1)];

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	h->targets.nr--;
	if (!t->due.at && !t->begun) {
		for (at = &h->targets.new; *at != t;)
			at = &(*at)->next_new;
		*at = t->next_new;
		h->targets.nr_new--;
	}
	heap_remove(&target_lane(h, t)->heap, &t->due);
	if (t->probe)
		t->probe->target = NULL;
	service_unref(t->owner);
	free(t);
}

void target_leave(struct health *h, struct member *m)
{
	struct target *t = MOVE(m->target, NULL);
	struct member **at;

	if (!t)
		return;
	for (at = &t->members; *at != m;)
		at = &(*at)->next;
	*at = m->next;
	if (!t->members)
		remove_target(h, t);
	else
		set_owner(t, t->members->subject->applied);
}

int target_join(struct health *h, struct member *m, struct service *s)
{
	uint64_t hash = hash_of(&m->addr, check_port(s, m));
	struct target *t = find(&h->targets, s, m, hash);

	if (t && t == m->target) {
		set_owner(t, s);
		return 0;
	}
	if (!t)
		t = new_target(h, s, m, hash);
	if (!t)
		return -ENOMEM;
	target_leave(h, m);
	m->target = t;
	m->next = t->members;
	t->members = m;
	return 0;
}

void targets_schedule_new(struct health *h)
{
	uint64_t now = uv_hrtime();
	size_t nr = h->targets.nr_new;

	for (size_t i = 0; i < nr; i++) {
		struct target *t = h->targets.new;
		uint64_t interval = (uint64_t)t->owner->check.interval_ms * 1000000;

		h->targets.new = t->next_new;
		t->next_new = NULL;
		heap_add(&target_lane(h, t)->heap, &t->due, now + schedule_first_ns(i, nr, interval));
	}
	h->targets.nr_new = 0;
}

void targets_free(struct targets *t)
{
	free(t->bucket);
	*t = (struct targets){ 0 };
}
