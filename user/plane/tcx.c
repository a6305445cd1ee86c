/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/state.h"
#include "plane/tc_hooks.h"

/* Of Linux 6.6; the headers here may be older than the kernel. */
#define TCX_INGRESS   ((enum bpf_attach_type)46)
#define TCX_EGRESS    ((enum bpf_attach_type)47)
#define LINK_TYPE_TCX 11
#define FIRST	      (1u << 3) /* BPF_F_BEFORE, and before nobody in particular */

#define LOOPBACK_IFINDEX 1 /* in every namespace */

static const enum bpf_attach_type attach_types[TC_DIRECTION_MAX] = { TCX_EGRESS, TCX_INGRESS };

bool kernel_has_tcx(void)
{
	uint32_t ids[64], nr = sizeof(ids) / sizeof(*ids);
	int r = bpf_prog_query(LOOPBACK_IFINDEX, TCX_INGRESS, 0, NULL, ids, &nr);

	return r == 0 || r == -ENOSPC; /* many programs are at lo */
}

static void pin_path(const char *dir, int ifindex, enum tc_direction d, char *path, size_t len)
{
	snprintf(path, len, "%s/links/tcx_%s_%d", dir, tc_direction_names[d], ifindex);
}

/* A link tells the index of its device, 0 when that is gone. */
static uint32_t link_ifindex(const struct bpf_link_info *info)
{
	return info->type == LINK_TYPE_TCX ? info->xdp.ifindex : 0; /* tcx begins as xdp does */
}

/* The pinned link, -ENOENT when there is none that is attached. */
static int open_link(const char *dir, int ifindex, enum tc_direction d, struct bpf_link_info *info)
{
	_cleanup_(closep) int fd = -1;
	uint32_t len = sizeof(*info);
	char path[4096];
	int r;

	pin_path(dir, ifindex, d, path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	r = bpf_obj_get_info_by_fd(fd, info, &len);
	if (r < 0)
		return r;
	return link_ifindex(info) == (uint32_t)ifindex ? MOVE(fd, -1) : -ENOENT;
}

uint32_t tcx_program(const char *dir, int ifindex, enum tc_direction d)
{
	struct bpf_link_info info = { 0 };
	_cleanup_(closep) int fd = open_link(dir, ifindex, d, &info);

	return fd < 0 ? 0 : info.prog_id;
}

/*
 * First of all programs at the hook: one that ends the walk (another mesh, a policy) then still sees every packet, but
 * cannot hide those of a handshake from us. Ours always lets the walk go on.
 */
static int make_link(const char *path, int ifindex, enum tc_direction d, int prog)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = FIRST);
	_cleanup_(closep) int fd = bpf_link_create(prog, ifindex, attach_types[d], &opts);

	if (fd < 0)
		return fd;
	unlink(path); /* of a link whose device is gone */
	return bpf_obj_pin(fd, path);
}

/* 1 when the link was made, 0 when it was there. */
static int attach_one(const char *dir, int ifindex, enum tc_direction d, int prog, struct plane_error *err)
{
	struct bpf_link_info info = { 0 };
	_cleanup_(closep) int fd = open_link(dir, ifindex, d, &info);
	char path[4096];
	int r;

	if (fd >= 0) {
		if (info.prog_id == tc_program_id(prog))
			return 0;
		r = bpf_link_update(fd, prog, NULL);
		if (r == 0)
			return 0;
		if (r != -ENOLINK) /* the device went between the two calls */
			return plane_fail(err, r, "cannot replace the %s program of link %d: %s", tc_direction_names[d],
					  ifindex, log_strerror(r));
	} else if (fd != -ENOENT) {
		return plane_fail(err, fd, "cannot open the pinned %s program of link %d: %s", tc_direction_names[d],
				  ifindex, log_strerror(fd));
	}
	pin_path(dir, ifindex, d, path, sizeof(path));
	r = make_link(path, ifindex, d, prog);
	if (r < 0)
		return plane_fail(err, r, "cannot attach the %s program to link %d: %s", tc_direction_names[d], ifindex,
				  log_strerror(r));
	return 1;
}

/* At once, and not only when the last who has the link open closes it. */
static int detach_one(const char *dir, int ifindex, enum tc_direction d)
{
	_cleanup_(closep) int fd = -1;
	char path[4096];

	pin_path(dir, ifindex, d, path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd >= 0)
		bpf_link_detach(fd);
	return unlink(path) == -1 && errno != ENOENT ? -errno : 0;
}

/* Answers are heard before the first question is asked. */
int tcx_attach(const char *dir, int ifindex, const int fd[TC_DIRECTION_MAX], struct plane_error *err)
{
	int in, out;

	in = attach_one(dir, ifindex, TC_INGRESS, fd[TC_INGRESS], err);
	if (in < 0)
		return in;
	out = attach_one(dir, ifindex, TC_EGRESS, fd[TC_EGRESS], err);
	if (out < 0 && in > 0)
		detach_one(dir, ifindex, TC_INGRESS);
	return out < 0 ? out : 0;
}

int tcx_detach(const char *dir, int ifindex)
{
	int out = detach_one(dir, ifindex, TC_EGRESS), in = detach_one(dir, ifindex, TC_INGRESS);

	return out ? out : in;
}
