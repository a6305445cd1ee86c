/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What this kernel and machine have, one row each, for `weft doctor`. Nothing here attaches anything. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/probe.h"
#include "plane/state.h"

static bool probe_kernel(char *detail, size_t len)
{
	struct utsname u;
	int major = 0, minor = 0;

	if (uname(&u) == -1 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return false;
	snprintf(detail, len, "%s", u.release);
	return major > 5 || (major == 5 && minor >= 15);
}

static bool probe_btf(char *detail, size_t len)
{
	snprintf(detail, len, "/sys/kernel/btf/vmlinux");
	return kernel_has_btf();
}

static bool probe_cgroup(char *detail, size_t len)
{
	return plane_find_cgroup(detail, len) == 0;
}

static bool probe_bpffs(char *detail, size_t len)
{
	struct statfs fs;

	snprintf(detail, len, "/sys/fs/bpf");
	return statfs("/sys/fs/bpf", &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* @r of libbpf_probe_*(): 1 there, 0 not there, else the probe itself failed. */
static bool probed(int r, char *detail, size_t len)
{
	if (r < 0)
		snprintf(detail, len, "cannot tell: %s", log_strerror(r));
	return r == 1;
}

static bool probe_sock_addr(char *detail, size_t len)
{
	return probed(libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, NULL), detail, len);
}

static bool probe_sock(char *detail, size_t len)
{
	return probed(libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SOCK, NULL), detail, len);
}

static bool probe_sockops(char *detail, size_t len)
{
	return probed(libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SOCK_OPS, NULL), detail, len);
}

static bool probe_storage(char *detail, size_t len)
{
	return probed(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SK_STORAGE, NULL), detail, len);
}

static bool probe_retval(char *detail, size_t len)
{
	return kernel_has_retval();
}

static bool probe_sk_error(char *detail, size_t len)
{
	return kernel_has_sk_error();
}

/* An atomic exchange needs 5.12 and instruction set v3; both are in every program. */
static bool probe_atomics(char *detail, size_t len)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW,
		  .dst_reg = BPF_REG_10,
		  .src_reg = BPF_REG_0,
		  .off = -8,
		  .imm = BPF_XCHG },
		{ .code = BPF_JMP32 | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_cleanup_(closep) int fd = -1;

	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "weft_probe", "Dual BSD/GPL", insns,
			   sizeof(insns) / sizeof(*insns), NULL);
	if (fd < 0)
		snprintf(detail, len, "%s", log_strerror(fd));
	return fd >= 0;
}

static bool probe_mmapable(char *detail, size_t len)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	_cleanup_(closep) int fd = -1;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "weft_probe", 4, 8, 1, &opts);
	if (fd < 0)
		snprintf(detail, len, "%s", log_strerror(fd));
	return fd >= 0;
}

static bool probe_batch(char *detail, size_t len)
{
	_cleanup_(closep) int fd = -1;
	uint32_t key = 1, value = 1, n = 1;
	int r;

	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "weft_probe", 4, 4, 2, NULL);
	r = fd < 0 ? fd : bpf_map_update_batch(fd, &key, &value, &n, NULL);
	if (r < 0)
		snprintf(detail, len, "%s", log_strerror(r));
	return r == 0;
}

static bool probe_membarrier(char *detail, size_t len)
{
	return grace_has_membarrier();
}

static bool probe_jit(char *detail, size_t len)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/sys/net/core/bpf_jit_enable", "re");
	int on = 0;

	if (!f || fscanf(f, "%d", &on) != 1) {
		snprintf(detail, len, "cannot read net.core.bpf_jit_enable");
		return false;
	}
	snprintf(detail, len, "net.core.bpf_jit_enable = %d", on);
	return on > 0;
}

static bool probe_capabilities(char *detail, size_t len)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t have;
	bool admin;

	if (syscall(SYS_capget, &header, data) == -1)
		return false;
	have = (uint64_t)data[1].effective << 32 | data[0].effective;
	admin = have >> CAP_SYS_ADMIN & 1;
	snprintf(detail, len, "CAP_BPF %s, CAP_PERFMON %s, CAP_NET_ADMIN %s",
		 admin || have >> CAP_BPF & 1 ? "yes" : "no", admin || have >> CAP_PERFMON & 1 ? "yes" : "no",
		 have >> CAP_NET_ADMIN & 1 ? "yes" : "no");
	return have >> CAP_NET_ADMIN & 1 && (admin || ((have >> CAP_BPF & 1) && (have >> CAP_PERFMON & 1)));
}

/* Since 5.11 maps are charged to the cgroup's memory; before, RLIMIT_MEMLOCK had to be raised, which libbpf does. */
static bool probe_memory(char *detail, size_t len)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == -1)
		return false;
	if (limit.rlim_cur == RLIM_INFINITY)
		snprintf(detail, len, "RLIMIT_MEMLOCK unlimited");
	else
		snprintf(detail, len, "RLIMIT_MEMLOCK %llu KiB, not used since 5.11",
			 (unsigned long long)limit.rlim_cur / 1024);
	return true;
}

static bool probe_sock_destroy(char *detail, size_t len)
{
	return kernel_has_sock_destroy();
}

struct row {
	const char *name, *what, *lost;
	bool required;
	bool (*probe)(char *detail, size_t len);
};

static const struct row rows[] = {
	{ "kernel", "Linux 5.15 or newer", "weft is not tested on older ones and does not load", true, probe_kernel },
	{ "btf", "the kernel's types, to read its structures wherever their fields lie",
	  "the programs cannot be loaded", true, probe_btf },
	{ "cgroup2", "the tree of processes that programs are attached to", "nothing can be attached", true,
	  probe_cgroup },
	{ "bpffs", "keeps maps and links while no agent runs",
	  "the agent mounts it; without the right to, it cannot start", false, probe_bpffs },
	{ "capabilities", "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, to load and attach",
	  "load and unload fail; reading may, too", true, probe_capabilities },
	{ "sock_addr", "programs at connect(), sendmsg(), recvmsg(), getpeername()", "no balancing", true,
	  probe_sock_addr },
	{ "sock", "a program when a socket is closed", "connections could not be counted exactly", true, probe_sock },
	{ "sockops", "a program at each change of a TCP state", "no latency, no failures by reason", true,
	  probe_sockops },
	{ "sk_storage", "a record that lives and dies with its socket", "connections could not be counted exactly",
	  true, probe_storage },
	{ "atomics", "atomic exchange in programs (5.12)", "connections could not be counted exactly", true,
	  probe_atomics },
	{ "mmapable", "arrays that the agent maps into its memory", "changes could not be published at once", true,
	  probe_mmapable },
	{ "batch", "many elements of a hash in one system call", "services could not be listed", true, probe_batch },
	{ "set_retval", "tells the application ECONNREFUSED when a service has no endpoint (5.18)",
	  "a refused connect() says EPERM instead of ECONNREFUSED", false, probe_retval },
	{ "tcp_sock", "reads why a TCP handshake failed", "failures are told apart less finely", false,
	  probe_sk_error },
	{ "sk_iterator", "walks all sockets: connections, check, bytes of living connections",
	  "'weft connections' and 'weft check' do not work; bytes count when a connection ends", false,
	  probe_iterator },
	{ "failover", "programs at network links that send a refused or unanswered SYN to another endpoint",
	  "a connect() to an endpoint that does not answer fails, as without weft", false, probe_failover },
	{ "tcx", "attaches failover to network links so that nobody else can take it away (6.6)",
	  "filters of clsact, which `tc filter del` by others may remove; the agent then puts them back", false,
	  probe_tcx },
	{ "sock_destroy", "closes what outlives the drain timeout while it walks the sockets (6.5)",
	  "SOCK_DESTROY of netlink does it, in one network namespace after the other", false, probe_sock_destroy },
	{ "membarrier", "waits for running programs before something is used again",
	  "none: an update of a map of maps waits instead", false, probe_membarrier },
	{ "jit", "programs run as machine code", "programs are interpreted: correct, but several times slower", false,
	  probe_jit },
	{ "memory", "memory for maps", "maps may be refused", false, probe_memory },
	{ "cgroup_programs", "other programs at the cgroup's hooks run beside ours",
	  "none; they are listed since one that refuses connections refuses ours, too", false, probe_neighbours },
};

int plane_probe(struct plane_feature **ret, size_t *ret_nr)
{
	const size_t nr = sizeof(rows) / sizeof(*rows);
	struct plane_feature *features = calloc(nr, sizeof(*features));
	libbpf_print_fn_t before;

	if (!features)
		return -ENOMEM;
	before = libbpf_set_print(NULL); /* failing is what a probe is for */
	for (size_t i = 0; i < nr; i++) {
		struct plane_feature *f = &features[i];

		f->name = rows[i].name;
		f->what = rows[i].what;
		f->lost = rows[i].lost;
		f->required = rows[i].required;
		f->present = rows[i].probe(f->detail, sizeof(f->detail));
	}
	libbpf_set_print(before);
	*ret = features;
	*ret_nr = nr;
	return 0;
}
