/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/pins.h"
#include "plane/state.h"
#include "plane/tc.h"
#include "weft.skel.h"

int plane_fail(struct plane_error *err, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return r;
}

static void plane_closep(struct plane **p)
{
	plane_close(*p);
}

static struct plane *plane_new(const struct plane_options *o)
{
	_cleanup_(plane_closep) struct plane *p = calloc(1, sizeof(*p));
	char dir[4096];

	if (!p)
		return NULL;
	p->lock_fd = -1;
	p->grace = (struct grace){ -1, -1 };
	p->limits = o->limits;
	if (!plane_dir(o->bpffs, o->instance, dir, sizeof(dir) - 64))
		return NULL;
	p->dir = strdup(dir);
	p->cgroup = o->cgroup ? strdup(o->cgroup) : NULL;
	if (!p->dir || (o->cgroup && !p->cgroup))
		return NULL;
	return MOVE(p, NULL);
}

static int state_init(struct plane *p)
{
	const uint32_t *capacity = p->m->capacity;

	p->held = calloc(capacity[PLANE_MAP_SERVICES], sizeof(*p->held));
	if (!p->held || ids_init(&p->services, capacity[PLANE_MAP_SERVICES]) ||
	    ids_init(&p->specs, capacity[PLANE_MAP_SPECS]) || ids_init(&p->backends, capacity[PLANE_MAP_BACKENDS]) ||
	    arena_init(&p->arena, capacity[PLANE_MAP_SLOTS]) || fronts_init(&p->fronts, capacity[PLANE_MAP_FRONTENDS]))
		return -ENOMEM;
	return 0;
}

/* The pinned maps into p->m, when they are whole. Maps that a first load left half made are removed: nobody uses them.
 */
static int find_maps(struct plane *p, const char *instance, struct plane_error *err)
{
	uint32_t abi = 0;
	int r;

	r = maps_open(p->dir, true, &p->m, &abi);
	if (r == -EPROTO)
		return plane_fail(err, r,
				  "the maps in %s are of layout %u, this weft has layout %u: give it an 'instance:' of "
				  "its own, start it, and remove the old one with 'weft unload --instance %s' (no "
				  "connect is missed), or run 'weft unload' and start again",
				  p->dir, abi, WEFT_ABI, instance);
	if (r && r != -ENOENT)
		return plane_fail(err, r, "cannot open the maps in %s: %s", p->dir, log_strerror(r));
	if (!r)
		return 0;
	if (pins_attached(p->dir))
		return plane_fail(err, -EUCLEAN,
				  "programs are attached but maps in %s are missing; 'weft unload' removes the rest",
				  p->dir);
	r = pins_remove(p->dir);
	if (r && r != -ENOENT)
		return plane_fail(err, r, "cannot remove what a broken start left in %s: %s", p->dir, log_strerror(r));
	return 0;
}

static int open_all(struct plane *p, const struct plane_options *o, enum plane_opened *ret_how, struct plane_error *err)
{
	int r;

	r = lock_take(o->lock_dir ? o->lock_dir : "/run/weft", o->instance, &p->lock_fd, &p->lock_path, err);
	if (!r)
		r = find_maps(p, o->instance, err);
	if (!r)
		r = pins_make(o->bpffs, p->dir, err);
	if (r)
		return r;
	*ret_how = p->m ? PLANE_ADOPTED : PLANE_CREATED;
	r = plane_load(p, err);
	if (r)
		return r;
	r = grace_init(&p->grace);
	if (r)
		return plane_fail(err, r, "neither membarrier() nor maps of maps work here: %s", log_strerror(r));
	r = state_init(p);
	if (r)
		return plane_fail(err, r, "no memory");
	if (*ret_how == PLANE_ADOPTED)
		r = plane_adopt(p, err);
	if (!r)
		plane_set_callers(p, o->callers);
	return r;
}

int plane_open(const struct plane_options *o, struct plane **ret, enum plane_opened *ret_how, struct plane_error *err)
{
	_cleanup_(plane_closep) struct plane *p = plane_new(o);
	enum plane_opened how = PLANE_CREATED;
	int r;

	if (!p)
		return plane_fail(err, -ENOMEM, "no memory");
	r = open_all(p, o, &how, err);
	if (r)
		return r;
	*ret_how = how;
	*ret = MOVE(p, NULL);
	return 0;
}

static void holdings_done(struct plane *p)
{
	for (uint32_t id = 0; p->held && id < p->m->capacity[PLANE_MAP_SERVICES]; id++) {
		service_unref(p->held[id].applied);
		free(p->held[id].backends);
		free(p->held[id].draining);
	}
	free(p->held);
}

void plane_close(struct plane *p)
{
	if (!p)
		return;
	holdings_done(p);
	weft_bpf__destroy(p->skel);
	tc_programs_free(p->tc);
	maps_close(p->m);
	grace_done(&p->grace);
	ids_done(&p->services);
	ids_done(&p->specs);
	ids_done(&p->backends);
	arena_done(&p->arena);
	fronts_done(&p->fronts);
	free(p->order);
	scratch_done(&p->scratch);
	free(p->claims);
	free(p->zone);
	free(p->dir);
	free(p->cgroup);
	free(p->lock_path);
	closep(&p->lock_fd);
	free(p);
}

const struct maps *plane_maps(const struct plane *p)
{
	return p->m;
}

bool plane_resized(const struct plane *p, char *text, size_t len)
{
	const struct plane_limits *l = &p->limits;
	const uint32_t *c = p->m->capacity;
	const struct {
		const char *key;
		uint32_t is, want;
	} row[] = {
		{ "services", c[PLANE_MAP_SERVICES] - 1, l->services },
		{ "frontends", c[PLANE_MAP_FRONTENDS], l->frontends },
		{ "specs", c[PLANE_MAP_SPECS] - 1, l->specs },
		{ "endpoints", c[PLANE_MAP_BACKENDS] - 1, l->backends },
		{ "slots", c[PLANE_MAP_SLOTS], (l->slots + WEFT_SLOT_GROUP - 1) / WEFT_SLOT_GROUP * WEFT_SLOT_GROUP },
		{ "affinity", c[PLANE_MAP_AFFINITY], l->affinity },
		{ "edges", c[PLANE_MAP_EDGES], l->edges },
		{ "handshakes", c[PLANE_MAP_HANDSHAKES], l->handshakes },
		{ "nat", c[PLANE_MAP_NAT], l->nat },
	};
	size_t at = 0;

	if (len)
		*text = '\0';
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		if (row[i].is == row[i].want || !row[i].want)
			continue;
		if (at < len)
			at += (size_t)snprintf(text + at, len - at, "%slimits.%s is %u, the maps were made for %u",
					       at ? "; " : "", row[i].key, row[i].want, row[i].is);
		else
			at = len + 1;
	}
	return at > 0;
}
