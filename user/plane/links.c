/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is attached where. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "plane/cgroup.h"
#include "plane/tc.h"

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void describe_target(const struct bpf_link_info *info, struct plane_link *l)
{
	unsigned long long id = info->cgroup.cgroup_id;

	if (info->type != BPF_LINK_TYPE_CGROUP)
		snprintf(l->target, sizeof(l->target), "-");
	else if (!id)
		snprintf(l->target, sizeof(l->target), "a cgroup that is gone");
	else if (cgroup_path(id, l->target, sizeof(l->target)))
		snprintf(l->target, sizeof(l->target), "cgroup id %llu", id);
}

static void describe_program(uint32_t id, struct plane_link *l)
{
	_cleanup_(closep) int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int at = 0;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return;
	snprintf(l->program, sizeof(l->program), "%s", info.name);
	for (size_t i = 0; i < sizeof(info.tag); i++)
		at += snprintf(l->tag + at, sizeof(l->tag) - (size_t)at, "%02x", info.tag[i]);
}

static int describe(const char *path, const char *name, struct plane_link *l)
{
	_cleanup_(closep) int fd = bpf_obj_get(path);
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	int r;

	if (fd < 0)
		return fd;
	r = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (r < 0)
		return r;
	memset(l, 0, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%.31s", name);
	l->link_id = info.id;
	l->prog_id = info.prog_id;
	describe_target(&info, l);
	describe_program(info.prog_id, l);
	return 0;
}

static int link_compare(const void *a, const void *b)
{
	return strcmp(((const struct plane_link *)a)->name, ((const struct plane_link *)b)->name);
}

int plane_links(const char *dir, struct plane_link **ret, size_t *ret_nr)
{
	_cleanup_(freep) struct plane_link *links = NULL;
	_cleanup_(closedirp) DIR *d = NULL;
	struct plane_link *more;
	struct dirent *e;
	char path[4096];
	size_t nr = 0;
	int r;

	snprintf(path, sizeof(path), "%s/links", dir);
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || tc_is_pin(e->d_name))
			continue;
		more = reallocarray(links, nr + 1, sizeof(*links));
		if (!more)
			return -ENOMEM;
		links = more;
		snprintf(path, sizeof(path), "%s/links/%s", dir, e->d_name);
		r = describe(path, e->d_name, &links[nr]);
		if (r == -ENOENT)
			continue;
		if (r)
			return r;
		nr++;
	}
	if (nr)
		qsort(links, nr, sizeof(*links), link_compare);
	*ret = MOVE(links, NULL);
	*ret_nr = nr;
	return 0;
}
