/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Probes that need more than a line: the socket iterator, and who else is at the cgroup's hooks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/plane.h"
#include "plane/probe.h"

/* Kernels with the iterator have a type for its context. */
bool probe_iterator(char *detail, size_t len)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool found;

	if (!btf) {
		snprintf(detail, len, "no BTF");
		return false;
	}
	found = btf__find_by_name_kind(btf, "bpf_iter__bpf_sk_storage_map", BTF_KIND_STRUCT) > 0;
	btf__free(btf);
	return found;
}

static const enum bpf_attach_type hooks[] = {
	BPF_CGROUP_INET4_CONNECT,     BPF_CGROUP_INET6_CONNECT,	    BPF_CGROUP_UDP4_SENDMSG,
	BPF_CGROUP_UDP6_SENDMSG,      BPF_CGROUP_UDP4_RECVMSG,	    BPF_CGROUP_UDP6_RECVMSG,
	BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET6_GETPEERNAME, BPF_CGROUP_INET_SOCK_RELEASE,
	BPF_CGROUP_SOCK_OPS,
};

/* Appends the names of programs at one hook; returns how many of them are not ours. */
static unsigned name_others(int cgroup, enum bpf_attach_type hook, char *detail, size_t len)
{
	uint32_t ids[32], nr = sizeof(ids) / sizeof(*ids);
	unsigned others = 0;
	size_t at;

	if (bpf_prog_query(cgroup, hook, 0, NULL, ids, &nr) < 0)
		return 0;
	for (uint32_t i = 0; i < nr && i < sizeof(ids) / sizeof(*ids); i++) {
		_cleanup_(closep) int fd = bpf_prog_get_fd_by_id(ids[i]);
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || !strncmp(info.name, "weft_", 5))
			continue;
		others++;
		at = strlen(detail);
		snprintf(detail + at, len - at, "%s%s (id %u)", at ? ", " : "", *info.name ? info.name : "unnamed",
			 ids[i]);
	}
	return others;
}

bool probe_neighbours(char *detail, size_t len)
{
	_cleanup_(closep) int fd = -1;
	unsigned others = 0;
	char path[512];

	*detail = '\0';
	if (plane_find_cgroup(path, sizeof(path)))
		return false;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; fd >= 0 && i < sizeof(hooks) / sizeof(*hooks); i++)
		others += name_others(fd, hooks[i], detail, len);
	if (!others)
		snprintf(detail, len, "none at %s", path);
	return true;
}
