/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The data plane as the agent holds it: programs loaded, maps pinned, links attached, services published. Only this
 * folder sees libbpf and the skeleton. One writer per instance: plane_open() takes a lock on the pin folder's lock
 * file.
 *
 * Life of a publish: new backends, then an extent of slots, then an immutable spec, then one 32-bit store to
 * weft_services.spec. What the old version used rests until an RCU grace period has passed
 * (membarrier(MEMBARRIER_CMD_GLOBAL)); an id of a backend rests, besides, until its last connection has ended.
 */
#ifndef PLANE_PLANE_H
#define PLANE_PLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "plane/maps.h"

struct plane;

struct plane_limits {
	uint32_t services, frontends, specs, backends, slots, affinity, edges, handshakes, nat;
};

struct plane_options {
	const char *bpffs; /* mounted when it is not and we may */
	const char *instance;
	const char *cgroup;   /* path of the cgroup2 folder to attach to; NULL: plane_find_cgroup() */
	const char *lock_dir; /* "/run/weft": <lock_dir>/<instance>.lock is held with flock() while the plane is open */
	struct plane_limits limits;
	bool callers; /* WEFT_CONFIG_F_CALLERS */
};

enum plane_opened { PLANE_CREATED = 1, PLANE_ADOPTED = 2 };

/* What went wrong, in one sentence for the operator; set on every failure of the calls below that take it. */
struct plane_error {
	char text[768];
};

/*
 * Loads the programs and either makes the maps and pins them or adopts those that are pinned: ids, states, and sizes
 * stay as they are (options.limits then only matter where they differ: see plane_resized()). Half-done changes of a
 * killed agent are completed or undone. Nothing is attached yet. -EBUSY: another agent holds this instance.
 */
int plane_open(const struct plane_options *o, struct plane **ret, enum plane_opened *ret_how, struct plane_error *err);

/* Attaches what is not attached, and swaps the programs of links that are, in place. All or (with a fresh attach)
 * nothing. */
int plane_attach(struct plane *p, struct plane_error *err);

/* Services and endpoints as @m wants them; applies only the difference. Services are taken over in place while others
 * change. */
struct plane_change {
	unsigned services_added, services_changed, services_removed, services_same;
	unsigned endpoints_added, endpoints_removed, endpoints_changed; /* changed: weight */
	uint64_t visible_ns; /* from the call to the last store that published */
};
/*
 * 0; or negative errno and *err: then every service is either as before or as wanted, none in between, and calling
 * again goes on. -ENOSPC names the map that is full and the setting that enlarges it.
 */
int plane_apply(struct plane *p, const struct model *m, struct plane_change *ret, struct plane_error *err);

/* This node's zone from the next plane_apply() on, which then looks at every service again; NULL: not known. Copied. */
void plane_set_zone(struct plane *p, const char *zone);

/* Turns callers on or off in the kernel, at once. */
void plane_set_callers(struct plane *p, bool on);

/*
 * Housekeeping, to be called about once a second: passes a grace period if something rests (blocks up to some 20 ms
 * then), frees ids of drained backends, and removes the edges of those that are gone. Returns how many things still
 * rest.
 */
unsigned plane_reclaim(struct plane *p);

/*
 * Adds the rows of weft_edges whose caller @gone says is no more to one row per endpoint, of caller WEFT_CALLER_GONE,
 * and removes them: short-lived jobs would fill the map. Sums over callers do not change. 0, or negative errno with
 * some rows left as they were.
 */
int plane_fold_callers(struct plane *p, bool (*gone)(void *ctx, uint64_t caller), void *ctx, unsigned *ret_folded);

const struct maps *plane_maps(const struct plane *p);
/* True when limits asked for differ from the sizes of the adopted maps; text says which (for one warning). */
bool plane_resized(const struct plane *p, char *text, size_t len);

/* Closes; everything stays pinned and goes on. NULL is fine. */
void plane_close(struct plane *p);

/* Detaches and removes every pin of @instance and the folder, and "<bpffs>/weft" when it is empty. 0; -ENOENT: nothing
 * there. */
int plane_unload(const char *bpffs, const char *instance, struct plane_error *err);

/* Where cgroup2 is mounted (v2: /sys/fs/cgroup, hybrid: /sys/fs/cgroup/unified, else as /proc/self/mountinfo says).
 * -ENOENT: v1 only. */
int plane_find_cgroup(char *path, size_t len);

/* ---- what `weft doctor` asks
 * ------------------------------------------------------------------------------------------------- */

struct plane_link {
	char name[32];	  /* pin: "connect4", ... */
	char program[32]; /* weft_connect4, ... */
	uint32_t link_id, prog_id;
	char target[256]; /* cgroup path, when its id can be found under the mount; else "cgroup id N" */
	char tag[20];	  /* of the program */
};
/* Links pinned in @dir. Number of them in *ret_nr, free() *ret. -ENOENT: nothing loaded. */
int plane_links(const char *dir, struct plane_link **ret, size_t *ret_nr);

/* One thing that this kernel or machine has or lacks. */
struct plane_feature {
	const char *name; /* "set_retval" */
	const char *what; /* what weft does with it */
	const char *lost; /* what is lost without it, and what happens instead */
	bool required;	  /* weft cannot run without it */
	bool present;
	char detail[192]; /* a version, a path, the error met; may be empty */
};
/* Probes all; never attaches to a cgroup that has processes. Free() *ret. 0 or negative errno. */
int plane_probe(struct plane_feature **ret, size_t *ret_nr);

/* Of the library that is linked, "1.1.2". */
const char *plane_libbpf_version(void);

#endif
