/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What ends connections at their deadline, pinned, so that the agent, the CLI, or nobody can use it: iterators over TCP
 * and UDP sockets, and the program that stops packets. The latter is attached only while some deadline is set.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "plane/cgroup.h"
#include "plane/drain.h"
#include "plane/state.h"
#include "weft.skel.h"

#define PROGRAM "drain_ingress" /* pins */
#define LINK	"fence"

/* The old one stays until the new one is there. */
static void pin_instead(const char *dir, const char *name, int fd)
{
	char path[4096], fresh[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(fresh, sizeof(fresh), "%s/%s_new", dir, name);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh) == 0 && rename(fresh, path) == -1)
		unlink(fresh);
}

static void pin_iterator(const struct plane *p, const struct bpf_program *prog, const char *name)
{
	struct bpf_link *link;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	if (bpf_program__fd(prog) < 0) {
		unlink(path);
		return;
	}
	link = bpf_program__attach_iter(prog, NULL);
	if (link)
		pin_instead(p->dir, name, bpf_link__fd(link));
	bpf_link__destroy(link);
}

static int open_pin(const char *dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return bpf_obj_get(path);
}

void drain_pin(struct plane *p)
{
	_cleanup_(closep) int link = -1;
	int prog = bpf_program__fd(p->skel->progs.weft_drain_ingress);

	pin_iterator(p, p->skel->progs.weft_drain_tcp, DRAIN_ITER_TCP);
	pin_iterator(p, p->skel->progs.weft_drain_udp, DRAIN_ITER_UDP);
	if (prog < 0)
		return;
	pin_instead(p->dir, PROGRAM, prog);
	link = open_pin(p->dir, LINK);
	if (link >= 0)
		bpf_link_update(link, prog, NULL);
}

/* The cgroup that the other programs are attached to, opened; negative errno. */
static int open_cgroup(const char *dir)
{
	_cleanup_(closep) int link = open_pin(dir, "links/connect4");
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[4096];
	int r;

	if (link < 0)
		return link;
	r = bpf_obj_get_info_by_fd(link, &info, &len);
	if (r == 0)
		r = cgroup_path(info.cgroup.cgroup_id, path, sizeof(path));
	if (r)
		return r;
	r = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r == -1 ? -errno : r;
}

int drain_fence_up(const struct maps *m)
{
	_cleanup_(closep) int cgroup = -1, prog = -1, link = -1;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/%s", m->dir, LINK);
	if (access(path, F_OK) == 0)
		return 0;
	prog = open_pin(m->dir, PROGRAM);
	if (prog < 0)
		return prog;
	cgroup = open_cgroup(m->dir);
	if (cgroup < 0)
		return cgroup;
	link = bpf_link_create(prog, cgroup, BPF_CGROUP_INET_INGRESS, NULL);
	if (link < 0)
		return link;
	r = bpf_obj_pin(link, path);
	/* Somebody else was faster. */
	return r == -EEXIST ? 0 : r;
}

void drain_fence_down(const struct maps *m)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", m->dir, LINK);
	unlink(path);
}
