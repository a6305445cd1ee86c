/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "nic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>

#include <bpf/libbpf.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>

#include "base/cleanup.h"
#include "plane/netns_cookie.h"

static struct nl_sock *netlink(void)
{
	struct nl_sock *s = nl_socket_alloc();

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(nl_connect(s, NETLINK_ROUTE), 0);
	return s;
}

int given_veth(const char *name, const char *peer)
{
	struct nl_sock *s = netlink();
	int r = rtnl_link_veth_add(s, name, peer, getpid());

	nl_socket_free(s);
	ck_assert_msg(r == 0, "cannot make a veth: %s", nl_geterror(r));
	return (int)if_nametoindex(name);
}

static void change_link(int ifindex, void (*fn)(struct rtnl_link *l, const char *arg), const char *arg)
{
	struct rtnl_link *which = rtnl_link_alloc(), *changes = rtnl_link_alloc();
	struct nl_sock *s = netlink();
	int r;

	rtnl_link_set_ifindex(which, ifindex);
	fn(changes, arg);
	r = rtnl_link_change(s, which, changes, 0);
	ck_assert_msg(r == 0, "cannot change link %d: %s", ifindex, nl_geterror(r));
	rtnl_link_put(which);
	rtnl_link_put(changes);
	nl_socket_free(s);
}

static void set_name(struct rtnl_link *l, const char *name)
{
	rtnl_link_set_name(l, name);
}

static void set_up(struct rtnl_link *l, const char *unused)
{
	rtnl_link_set_flags(l, IFF_UP);
}

static void set_down(struct rtnl_link *l, const char *unused)
{
	rtnl_link_unset_flags(l, IFF_UP);
}

static void set_namespace(struct rtnl_link *l, const char *pid)
{
	rtnl_link_set_ns_pid(l, (pid_t)strtol(pid, NULL, 10));
}

void link_rename(int ifindex, const char *name)
{
	change_link(ifindex, set_name, name);
}

void link_up_down(int ifindex, bool up)
{
	change_link(ifindex, up ? set_up : set_down, NULL);
}

void link_enslave(int ifindex, int bridge)
{
	struct nl_sock *s = netlink();
	int r = bridge ? rtnl_link_enslave_ifindex(s, bridge, ifindex) : rtnl_link_release_ifindex(s, ifindex);

	nl_socket_free(s);
	ck_assert_msg(r == 0, "cannot enslave or release link %d: %s", ifindex, nl_geterror(r));
}

int given_bridge(const char *name)
{
	struct nl_sock *s = netlink();
	int r = rtnl_link_bridge_add(s, name);

	nl_socket_free(s);
	ck_assert_msg(r == 0, "cannot make a bridge: %s", nl_geterror(r));
	return (int)if_nametoindex(name);
}

void link_move(int ifindex, pid_t to)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)to);
	change_link(ifindex, set_namespace, pid);
}

void link_remove(int ifindex)
{
	struct rtnl_link *l = rtnl_link_alloc();
	struct nl_sock *s = netlink();
	int r;

	rtnl_link_set_ifindex(l, ifindex);
	r = rtnl_link_delete(s, l);
	ck_assert_msg(r == 0, "cannot remove link %d: %s", ifindex, nl_geterror(r));
	rtnl_link_put(l);
	nl_socket_free(s);
}

unsigned nr_filters(int ifindex, uint32_t parent)
{
	struct nl_sock *s = netlink();
	struct nl_cache *c = NULL;
	unsigned nr = 0;

	if (rtnl_cls_alloc_cache(s, ifindex, parent, &c) < 0) {
		nl_socket_free(s);
		return 0;
	}
	/* Each priority is listed, too, as a filter without a handle. */
	for (struct nl_object *o = nl_cache_get_first(c); o; o = nl_cache_get_next(o))
		nr += rtnl_tc_get_handle((struct rtnl_tc *)o) != 0;
	nl_cache_free(c);
	nl_socket_free(s);
	return nr;
}

bool has_clsact(int ifindex)
{
	struct nl_sock *s = netlink();
	struct nl_cache *c = NULL;
	struct rtnl_qdisc *q;

	ck_assert_int_eq(rtnl_qdisc_alloc_cache(s, &c), 0);
	q = rtnl_qdisc_get(c, ifindex, TC_H_MAKE(TC_H_CLSACT, 0));
	if (q)
		rtnl_qdisc_put(q);
	nl_cache_free(c);
	nl_socket_free(s);
	return q;
}

uint32_t tcx_programs(int ifindex, enum bpf_attach_type hook, uint32_t ids[8])
{
	uint32_t nr = 8;
	int r = bpf_prog_query(ifindex, hook, 0, NULL, ids, &nr);

	ck_assert_msg(r == 0, "bpf_prog_query: %s", strerror(-r));
	return nr;
}

int foreign_program(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "Dual BSD/GPL", insns, 2, NULL);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static struct bpf_tc_hook foreign_hook(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);

	return hook;
}

void given_foreign_filter(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 2, .prog_fd = foreign_program());
	struct bpf_tc_hook hook = foreign_hook(ifindex);
	int r = bpf_tc_hook_create(&hook);

	ck_assert(r == 0 || r == -EEXIST);
	ck_assert_int_eq(bpf_tc_attach(&hook, &opts), 0);
	close(opts.prog_fd);
}

bool foreign_filter_is_there(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 2);
	struct bpf_tc_hook hook = foreign_hook(ifindex);

	return bpf_tc_query(&hook, &opts) == 0;
}

int own_namespace(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

pid_t given_inhabitant(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		closefrom(3); /* the lock of the instance, above all */
		pause();
		_exit(0);
	}
	return pid;
}

size_t nr_pins(void)
{
	struct dirent *e;
	char path[512];
	size_t nr = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/links", mesh.maps->dir);
	d = opendir(path);
	while (d && (e = readdir(d)))
		nr += tc_is_pin(e->d_name);
	if (d)
		closedir(d);
	return nr;
}

struct plane_tc listed(int ifindex)
{
	_cleanup_(freep) struct plane_tc *list = NULL;
	size_t nr = 0;

	ck_assert_int_eq(plane_tc_list(mesh.maps->dir, &list, &nr), 0);
	for (size_t i = 0; i < nr; i++)
		if (list[i].ifindex == ifindex)
			return list[i];
	return (struct plane_tc){ 0 };
}

bool is_attached(int ifindex)
{
	struct plane_tc t = listed(ifindex);

	return t.egress && t.ingress;
}

void attach(int ifindex)
{
	struct plane_error err = { "" };
	int r = plane_links_attach(mesh.plane, ifindex, &err);

	ck_assert_msg(r == 0, "%d: %s", r, err.text);
	ck_assert(is_attached(ifindex));
}

uint64_t own_cookie(void)
{
	uint64_t cookie = 0;

	ck_assert_int_eq(netns_cookie(&cookie), 0);
	return cookie;
}

void unload(void)
{
	struct plane_error err = { "" };

	plane_close(MOVE(mesh.plane, NULL));
	ck_assert_msg(plane_unload("/sys/fs/bpf", mesh.name, &err) == 0, "%s", err.text);
}

void restart(void)
{
	struct plane_options o = {
		.bpffs = "/sys/fs/bpf", .instance = mesh.name, .cgroup = mesh.cgroup, .lock_dir = "/run/weft"
	};
	struct plane_error err = { "" };
	enum plane_opened how;

	plane_close(MOVE(mesh.plane, NULL));
	ck_assert_msg(plane_open(&o, &mesh.plane, &how, &err) == 0, "%s", err.text);
	ck_assert_int_eq(how, PLANE_ADOPTED);
	ck_assert_msg(plane_attach(mesh.plane, &err) == 0, "%s", err.text);
	mesh.maps = plane_maps(mesh.plane);
}
