/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the agent remembers of an instance, and what the files of this folder do for one another. */
#ifndef PLANE_STATE_H
#define PLANE_STATE_H

#include "lb/levels.h"
#include "plane/arena.h"
#include "plane/fronts.h"
#include "plane/grace.h"
#include "plane/ids.h"
#include "plane/plane.h"

struct weft_bpf;
struct tc_programs;

/* A removed endpoint, until its id is free again. */
struct drain {
	uint32_t id;
	uint32_t since; /* plane.graces when it stopped to be READY; it may be freed when one more has passed */
};

enum holding_state {
	HOLDING_FREE = 0,
	HOLDING_LIVE = 1,    /* wanted and published */
	HOLDING_LEAVING = 2, /* no address leads to it, but a program may still be on its way */
	HOLDING_GONE = 3,    /* nothing published; endpoints drain */
};

/* A service, by id. Endpoints themselves are only in weft_backends: per endpoint the agent holds four bytes. */
struct holding {
	struct service *applied; /* what is published, a reference; NULL: not known, since another agent did it */
	uint32_t *backends;	 /* ids, in the order of their addresses */
	struct drain *draining;
	uint32_t nr, nr_draining, room_draining;
	uint32_t next_unsettled; /* list of those that something happens to after the next grace period; id */
	bool unsettled;
	bool undone;   /* the change that is going on failed before it came to this one */
	bool wanted;   /* comes back in the change that is going on: its id must not be freed */
	uint8_t state; /* enum holding_state */
};

/* Memory for one publish after the other. */
struct scratch {
	uint16_t *weights;
	uint64_t *keys;
	uint8_t *level; /* of each endpoint, as the last shape_make() found */
	size_t room;
};
void scratch_done(struct scratch *s);

/* An ejection or a return that somebody had begun. */
struct claim {
	uint32_t backend;
	uint64_t word;
};

struct plane {
	char *dir, *cgroup, *lock_path;
	int lock_fd;
	struct plane_limits limits;
	struct weft_bpf *skel;	/* until it is attached */
	struct tc_programs *tc; /* of failover, kept for links that come later; tc.c */
	struct maps *m;
	struct grace grace;
	struct ids services, specs, backends;
	struct arena arena;
	struct fronts fronts;
	struct holding *held; /* by id of the service */
	uint32_t *order;      /* services that are not FREE, by name */
	size_t nr_order;
	uint32_t unsettled;    /* first of the list */
	uint32_t graces;       /* grace periods that have passed */
	uint32_t nr_draining;  /* endpoints */
	uint64_t nr_endpoints; /* of LIVE services */
	uint64_t nr_slots;     /* likewise */
	bool resting;	       /* something waits for a grace period */
	bool departing;	       /* some services are LEAVING or GONE */
	bool fronts_dirty;     /* elements of weft_frontends were given back: no insertion before a grace period */
	bool fronts_unsure;    /* what each service's addresses are is not known: compare all */
	bool zone_moved;       /* what is published may have the levels of another zone */
	bool edges_stale;      /* rows of weft_edges belong to endpoints that are gone */
	uint32_t next_tally;   /* service that recount_some() looks at next */
	char *zone;	       /* this node's; NULL: not known */
	struct claim *claims;  /* ejections that were under way when the maps were taken over */
	size_t nr_claims;
	struct scratch scratch;
};

/* For words that programs read: what was written before is seen before. */
static inline void store32(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static inline void store16(uint16_t *at, uint16_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* Writes the sentence and returns @r. */
int plane_fail(struct plane_error *err, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static inline struct extent spec_extent(const struct weft_spec *spec)
{
	return (struct extent){ spec->level[0].slot_base, (uint32_t)spec_slots(spec) };
}

/* lock.c */
int lock_take(const char *lock_dir, const char *instance, int *ret_fd, char **ret_path, struct plane_error *err);
void lock_remove(const char *path);

/* load.c, adopt.c */
int plane_load(struct plane *p, struct plane_error *err);
int plane_adopt(struct plane *p, struct plane_error *err);

/* kernel.c */
bool kernel_has_btf(void);
bool kernel_has_retval(void);
bool kernel_has_sk_error(void);
bool kernel_has_sock_destroy(void);
uint32_t kernel_hz(void); /* ticks per second; 0: not known */

/* shape.c: a service in the arena. */
struct shape {
	struct lb_levels levels;
	uint32_t nr_slots[WEFT_LEVELS], table_size[WEFT_LEVELS];
	uint32_t total; /* elements: for each level slots, then table */
};
/* 0 or -ENOMEM. The level of each endpoint is in p->scratch until the next call. */
int shape_make(struct plane *p, const struct service *want, struct shape *ret);
/* Fills @slots (.total of them) with indices of endpoints; the tables only when asked. 0, -ENOMEM, -EINVAL: a table is
 * too small or no prime. After shape_make() of the same service. */
int shape_fill(struct plane *p, const struct service *want, const struct shape *s, bool tables, uint32_t *slots);

/* spec.c: likewise after shape_make(). */
struct weft_spec spec_make(const struct plane *p, uint32_t service, const struct service *want, const struct shape *s,
			   uint32_t base, uint32_t serial);

/* draft.c: everything that can fail in publishing a service, done where no reader looks. */
#define DRAFT_NEW     0x80000000u
#define DRAFT_REVIVED 0x40000000u
#define DRAFT_ID      0x3fffffffu
struct draft {
	uint32_t service, spec;
	struct service *want;
	uint32_t *backends; /* ids with DRAFT_ bits, in the order of want->endpoints */
	uint32_t *removed;  /* ids */
	uint32_t nr_new, nr_revived, nr_removed;
	uint32_t slot_base;
	struct shape shape;
};
/* What is in p->scratch afterwards belongs to it: publish() must follow before the next one. */
int draft_make(struct plane *p, uint32_t service, struct service *want, struct draft *ret, struct plane_error *err);
void draft_undo(struct plane *p, struct draft *d);

/* Room for what publishing and withdrawing have to note, so that neither can fail. 0 or -ENOMEM. */
int holding_reserve(struct plane *p, uint32_t service, uint32_t nr_removed);

/* publish.c: cannot fail. */
void publish(struct plane *p, struct draft *d, struct plane_change *change);
bool publish_is_same(struct plane *p, uint32_t service, const struct service *want);
/* After holding_reserve() for all its endpoints. */
void withdraw(struct plane *p, uint32_t service, struct plane_change *change);

/* frontends.c */
int frontends_plan(struct plane *p, uint32_t service, const struct service *s, bool wanted);
/* Addresses that lead, or should lead, to an undone service stay as they are. */
void frontends_keep(struct plane *p);
int frontends_check(struct plane *p, struct plane_error *err);
int frontends_add(struct plane *p, struct plane_error *err);
int frontends_move(struct plane *p); /* moves.c */
int frontends_remove(struct plane *p, struct plane_error *err);

/* standing.c: a service that is published, by name; NULL: not there. */
const struct holding *holding_find(const struct plane *p, const char *name);

/* recount.c */
bool recount(struct plane *p, uint32_t service); /* true: the counters of the service were right */
void recount_some(struct plane *p);
int claims_note(struct plane *p);
void claims_finish(struct plane *p);

/* reclaim.c */
void unsettle(struct plane *p, uint32_t service);
void clear_ready(struct plane *p, uint32_t id);
int pass_grace(struct plane *p); /* waits, then frees and retires what waited for it */
unsigned reclaim_drained(struct plane *p);
void reclaim_order(struct plane *p);

/* fence.c: pins what ends connections at the deadline, instead of what was pinned before. The skeleton is loaded. */
void drain_pin(struct plane *p);

/* edges.c: after endpoints or services were freed, and before their ids are used again. */
void edges_reclaim(struct plane *p);

#endif
