/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The failover programs on network links. A link with them has both, egress and ingress; they are pinned in
 * <dir>/links and stay when the agent ends. weft_config.netns tells programs whether, and in which namespace, any link
 * has them.
 */
#ifndef PLANE_TC_H
#define PLANE_TC_H

#include <net/if.h>

#include "plane/plane.h"

/*
 * Attaches to link @ifindex of the caller's network namespace, in place when it is attached. Links of another namespace
 * where an earlier agent ran are detached first. Needs CAP_NET_ADMIN. 0; -ENODEV: no such link; -EOPNOTSUPP: failover
 * cannot be had on this kernel, or on links of this kind; or negative errno. Not to be undone by plane_close().
 */
int plane_links_attach(struct plane *p, int ifindex, struct plane_error *err);
/* The same, of a link whose kind (ARPHRD_*) is known. */
int plane_links_attach_type(struct plane *p, int ifindex, unsigned arphrd, struct plane_error *err);
/* 0, also when nothing was attached, or the link is gone. */
int plane_links_detach(struct plane *p, int ifindex);
/* Links that have pins, by an agent before us too, sorted. Free() *ret. 0 or negative errno. */
int plane_links_pinned(struct plane *p, int **ret, size_t *ret_nr);

/* A link with the programs of this instance. */
struct plane_tc {
	int ifindex;
	char name[IF_NAMESIZE];	  /* empty: in another namespace than ours, or gone */
	const char *way;	  /* "tcx" or "clsact" */
	uint32_t egress, ingress; /* ids of programs; 0: somebody removed it */
	bool elsewhere;		  /* in another network namespace than ours */
};
/* Those pinned in @dir, by ifindex. Free() *ret. 0; -ENOENT: nothing is loaded; or negative errno. */
int plane_tc_list(const char *dir, struct plane_tc **ret, size_t *ret_nr);

/* Which way is taken: what the kernel has, or always clsact (for tests). */
enum plane_tc_way { PLANE_TC_BEST, PLANE_TC_CLSACT };
void plane_tc_choose(enum plane_tc_way way);

/* ---- inside plane/ ---- */

struct tc_programs;

/* Is @name a pin of this part? */
bool tc_is_pin(const char *name);
/* Takes descriptors of the programs out of p->skel, once. 0 or negative errno. */
int tc_programs_keep(struct plane *p);
void tc_programs_free(struct tc_programs *t); /* NULL is fine */
/* Detaches from all links, in any namespace. 0 or the first negative errno, after trying all. */
int tc_detach_all(const char *dir);

#endif
