/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the files of this folder share. Inside health/ only. */
#ifndef HEALTH_INSIDE_H
#define HEALTH_INSIDE_H

#include "health/health.h"
#include "health/judge.h"
#include "health/probe.h"
#include "health/schedule.h"

/* Probes at once; what is due beyond waits until one ends. A process is dearer than a socket. */
#define SOCKETS_MAX  256
#define COMMANDS_MAX 32

struct web;

/* One endpoint of one service. */
struct member {
	struct judge judge;
	struct subject *subject;
	struct target *target;
	struct member *next; /* of the target */
	struct weft_addr addr;
	uint16_t port;
	char *text; /* of the last result; NULL: none yet */
	double since_unix, last_unix;
	uint64_t duration_ns;
	uint64_t attempts, successes;
};

/* One service that has a check. */
struct subject {
	struct service *applied; /* a reference */
	struct member **members; /* in the order of applied->endpoints */
	size_t nr;
	uint64_t attempts, successes; /* also of endpoints that are gone */
};

/* What is probed: once for all members that want the same. */
struct target {
	struct due due;	       /* first */
	struct service *owner; /* a reference: whose check it is, one of the members' */
	struct weft_addr addr;
	uint16_t port;
	struct member *members;
	struct probe *probe; /* that runs; NULL: none */
	struct target *next; /* in its bucket */
	struct target *next_new;
	uint64_t hash;
	unsigned begun; /* probes: 0, 1, more */
	bool command;	/* its lane */
};

/* All targets, by what is probed. All zero: empty. */
struct targets {
	struct target **bucket;
	size_t room, nr;    /* room: a power of two */
	struct target *new; /* not scheduled yet */
	size_t nr_new;
};

/* Probes of one kind, that wait for one another. */
struct lane {
	struct heap heap;
	unsigned running, max;
};

struct health {
	uv_loop_t *loop;
	struct health_hooks hooks;
	uv_timer_t timer;
	struct lane lane[2]; /* sockets, commands */
	struct targets targets;
	struct subject **subjects; /* by name */
	size_t nr_subjects;
	struct web *web;      /* NULL: no HTTP was needed so far */
	struct probe *probes; /* that run */
	uint64_t random;
	uint64_t late;
	unsigned open; /* handles and probes that must end before this can be freed */
	bool applied;  /* once at least */
	bool closing;
};

/* targets.c */
struct lane *target_lane(struct health *h, const struct target *t);
/* Makes @m a member of the target for @s, a service with a check that may be another than before. 0 or -ENOMEM with
 * nothing changed. */
int target_join(struct health *h, struct member *m, struct service *s);
void target_leave(struct health *h, struct member *m); /* its last member takes it away */
void targets_schedule_new(struct health *h);
void targets_free(struct targets *t);

/* subject.c: NULL when there is no memory: then @old is as before, but for members that changed their target already.
 * Else @old is gone. */
struct subject *subject_update(struct health *h, struct subject *old, struct service *s);
void subject_free(struct health *h, struct subject *s);

/* health.c */
double health_unix(void);
void health_arm(struct health *h); /* the timer, for what is due next */
void health_opened(struct health *h);
void health_closed(struct health *h); /* may free @h */

#endif
