/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Links: one per program, pinned. Those of an agent before us get our programs in place: no packet sees a moment
 * without one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/cgroup.h"
#include "plane/programs.h"
#include "plane/state.h"
#include "plane/tc.h"
#include "weft.skel.h"

const char *const plane_program_pins[PLANE_PROGRAM_MAX] = {
#define X(name) #name,
	PLANE_PROGRAMS(X)
#undef X
};

/* Links as they are found, and what is done with each. */
struct attaching {
	struct plane *p;
	const char *cgroup;
	int cgroup_fd;
	uint64_t cgroup_id;
	int found[PLANE_PROGRAM_MAX]; /* descriptor of the pinned link; -1: none */
	bool made[PLANE_PROGRAM_MAX]; /* by this call */
};

static void attaching_done(struct attaching *a)
{
	closep(&a->cgroup_fd);
	for (int i = 0; i < PLANE_PROGRAM_MAX; i++)
		closep(&a->found[i]);
}

static struct bpf_program *program_of(const struct attaching *a, int i)
{
	char name[32];

	snprintf(name, sizeof(name), "weft_%s", plane_program_pins[i]);
	return bpf_object__find_program_by_name(a->p->skel->obj, name);
}

static void pin_path(const struct attaching *a, int i, char *path, size_t len)
{
	snprintf(path, len, "%s/links/%s", a->p->dir, plane_program_pins[i]);
}

/* A link that is pinned. One whose cgroup is gone is removed, as if it had never been. */
static int find_link(struct attaching *a, int i, struct plane_error *err)
{
	_cleanup_(closep) int fd = -1;
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[4096], other[512];
	int r;

	pin_path(a, i, path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);
	if (r < 0)
		return plane_fail(err, r, "cannot open the link %s: %s", path, log_strerror(r));
	if (info.type != BPF_LINK_TYPE_CGROUP || !info.cgroup.cgroup_id) {
		unlink(path);
		return 0;
	}
	if (info.cgroup.cgroup_id != a->cgroup_id) {
		if (cgroup_path(info.cgroup.cgroup_id, other, sizeof(other)))
			snprintf(other, sizeof(other), "of id %llu", (unsigned long long)info.cgroup.cgroup_id);
		return plane_fail(err, -EEXIST,
				  "this instance is attached to the cgroup %s, not to %s; run 'weft unload' first",
				  other, a->cgroup);
	}
	a->found[i] = MOVE(fd, -1);
	return 0;
}

static int attach_one(struct attaching *a, int i, struct plane_error *err)
{
	struct bpf_program *prog = program_of(a, i);
	struct bpf_link *link;
	char path[4096];
	int r;

	if (a->found[i] >= 0) {
		r = bpf_link_update(a->found[i], bpf_program__fd(prog), NULL);
		if (r)
			return plane_fail(err, r, "cannot replace the program of link '%s': %s", plane_program_pins[i],
					  log_strerror(r));
		return 0;
	}
	link = bpf_program__attach_cgroup(prog, a->cgroup_fd);
	if (!link)
		return plane_fail(err, -errno, "cannot attach program '%s' to the cgroup %s: %s", plane_program_pins[i],
				  a->cgroup, log_strerror(-errno));
	pin_path(a, i, path, sizeof(path));
	r = bpf_link__pin(link, path);
	bpf_link__destroy(link); /* a pinned link stays */
	if (r)
		return plane_fail(err, r, "cannot pin the link %s: %s", path, log_strerror(r));
	a->made[i] = true;
	return 0;
}

static void undo(struct attaching *a)
{
	char path[4096];

	for (int i = PLANE_PROGRAM_MAX - 1; i >= 0; i--) {
		if (!a->made[i])
			continue;
		pin_path(a, i, path, sizeof(path));
		unlink(path);
	}
}

/* Replaces the pinned iterator by one of our program. A kernel that has none goes without. */
static void attach_iterator(struct plane *p)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info info = { 0 };
	char path[4096], fresh[4096];
	struct bpf_link *link;

	if (bpf_program__fd(p->skel->progs.weft_iter_flow) < 0)
		return;
	info.map.map_fd = (uint32_t)p->m->fd[PLANE_MAP_FLOWS];
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	link = bpf_program__attach_iter(p->skel->progs.weft_iter_flow, &opts);
	if (!link)
		return;
	snprintf(path, sizeof(path), "%s/iter_flow", p->dir);
	snprintf(fresh, sizeof(fresh), "%s/iter_new", p->dir);
	unlink(fresh);
	if (bpf_link__pin(link, fresh) == 0 && rename(fresh, path) == -1)
		unlink(fresh);
	bpf_link__destroy(link);
}

static int attach_all(struct attaching *a, struct plane_error *err)
{
	int r = 0;

	a->cgroup_fd = open(a->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->cgroup_fd == -1)
		return plane_fail(err, -errno, "cannot open the cgroup '%s': %s", a->cgroup, log_strerror(-errno));
	r = cgroup_id(a->cgroup_fd, &a->cgroup_id);
	if (r)
		return plane_fail(err, r, "cannot read the id of the cgroup '%s': %s", a->cgroup, log_strerror(r));
	for (int i = 0; !r && i < PLANE_PROGRAM_MAX; i++)
		r = find_link(a, i, err);
	if (r)
		return r;
	attach_iterator(a->p);
	drain_pin(a->p);
	for (int i = 0; !r && i < PLANE_PROGRAM_MAX; i++)
		r = attach_one(a, i, err);
	if (r)
		undo(a);
	return r;
}

int plane_attach(struct plane *p, struct plane_error *err)
{
	_cleanup_(attaching_done) struct attaching a = { .p = p, .cgroup = p->cgroup, .cgroup_fd = -1 };
	char found[512];
	int r;

	for (int i = 0; i < PLANE_PROGRAM_MAX; i++)
		a.found[i] = -1;
	if (!p->skel)
		return 0; /* done before */
	if (!a.cgroup) {
		r = plane_find_cgroup(found, sizeof(found));
		if (r)
			return plane_fail(
				err, r,
				"no cgroup2 is mounted here; 'mount -t cgroup2 none /sys/fs/cgroup/unified' makes one");
		a.cgroup = found;
	}
	r = attach_all(&a, err);
	if (r)
		return r;
	r = tc_programs_keep(p);
	if (r)
		return plane_fail(err, r, "no memory");
	/* The kernel has it all; what the loader kept in memory is not needed any more. */
	weft_bpf__destroy(MOVE(p->skel, NULL));
	return 0;
}
