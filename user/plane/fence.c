/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What ends connections at their deadline, pinned, so that the agent, the CLI, or nobody can use it: iterators over TCP
 * and UDP sockets, and the two programs that stop packets. The latter are attached only while some deadline is set.
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

static const struct {
	const char *program, *link; /* pins */
	enum bpf_attach_type type;
} fences[] = {
	{ "drain_egress", "fence_egress", BPF_CGROUP_INET_EGRESS },
	{ "drain_ingress", "fence_ingress", BPF_CGROUP_INET_INGRESS },
};
#define NR_FENCES (sizeof(fences) / sizeof(fences[0]))

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

static void pin_fence(const struct plane *p, const struct bpf_program *prog, size_t i)
{
	_cleanup_(closep) int link = open_pin(p->dir, fences[i].link);

	pin_instead(p->dir, fences[i].program, bpf_program__fd(prog));
	if (link >= 0)
		bpf_link_update(link, bpf_program__fd(prog), NULL);
}

void drain_pin(struct plane *p)
{
	pin_iterator(p, p->skel->progs.weft_drain_tcp, DRAIN_ITER_TCP);
	pin_iterator(p, p->skel->progs.weft_drain_udp, DRAIN_ITER_UDP);
	pin_fence(p, p->skel->progs.weft_drain_egress, 0);
	pin_fence(p, p->skel->progs.weft_drain_ingress, 1);
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

static int attach(const char *dir, int cgroup, size_t i)
{
	_cleanup_(closep) int prog = open_pin(dir, fences[i].program), link = -1;
	char path[4096];
	int r;

	if (prog < 0)
		return prog;
	link = bpf_link_create(prog, cgroup, fences[i].type, NULL);
	if (link < 0)
		return link;
	snprintf(path, sizeof(path), "%s/%s", dir, fences[i].link);
	r = bpf_obj_pin(link, path);
	/* Somebody else was faster. */
	return r == -EEXIST ? 0 : r;
}

static bool is_up(const char *dir, size_t i)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, fences[i].link);
	return access(path, F_OK) == 0;
}

int drain_fence_up(const struct maps *m)
{
	_cleanup_(closep) int cgroup = -1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < NR_FENCES; i++) {
		if (is_up(m->dir, i))
			continue;
		if (cgroup < 0)
			cgroup = open_cgroup(m->dir);
		r = cgroup < 0 ? cgroup : attach(m->dir, cgroup, i);
	}
	return r;
}

void drain_fence_down(const struct maps *m)
{
	char path[4096];

	for (size_t i = 0; i < NR_FENCES; i++) {
		snprintf(path, sizeof(path), "%s/%s", m->dir, fences[i].link);
		unlink(path);
	}
}
