/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The steps from what is published to what is wanted. Nothing is written to the kernel here. */
#ifndef PLANE_PLAN_H
#define PLANE_PLAN_H

#include "plane/state.h"

enum step_kind { STEP_ADD, STEP_CHANGE, STEP_REMOVE, STEP_REVIVE };

struct step {
	enum step_kind kind;
	uint32_t id;
	size_t at;	      /* index in plan.order */
	struct service *want; /* NULL: REMOVE */
	bool done;
};

struct plan {
	struct step *steps;
	size_t nr, room;
	uint32_t *order; /* the next plane.order; 0 where a service has no id yet */
	size_t nr_order;
	bool no_ids; /* why it failed: all ids of services are taken, though fewer are wanted */
};

/* 0 or negative errno with *err; plan_done() in either case. */
int plan_make(struct plane *p, const struct model *m, struct plan *n, struct plane_change *change,
	      struct plane_error *err);
/* Gives back the ids of services that were not added, and takes over the order. */
void plan_done(struct plane *p, struct plan *n);
/* Addresses of what was not done stay as they are. */
void plan_keep_rest(struct plane *p, const struct plan *n);

#endif
