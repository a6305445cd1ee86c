/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Filters, for kernels before 6.6. A filter belongs to nobody, so what is needed to take ours away again, and nothing
 * else, is kept in <dir>/links: the program of each filter is pinned (a filter is ours when it runs that program), and
 * a symbolic link, which bpffs can keep, says in which namespace, and whether the clsact qdisc was made by us.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/netns_cookie.h"
#include "plane/state.h"
#include "plane/tc_hooks.h"

/* Before filters that asked for no place of their own, yet not of the priority that `tc filter del ... prio 1` empties.
 */
#define PRIORITY 2
#define HANDLES	 16 /* tried one after the other */

struct note {
	uint64_t netns;
	unsigned made;
};

static void pin_path(const char *dir, int ifindex, enum tc_direction d, const char *suffix, char *path, size_t len)
{
	snprintf(path, len, "%s/links/clsact_%s_%d%s", dir, tc_direction_names[d], ifindex, suffix);
}

static void note_path(const char *dir, int ifindex, char *path, size_t len)
{
	snprintf(path, len, "%s/links/clsact_%d", dir, ifindex);
}

static int note_read(const char *dir, int ifindex, struct note *ret)
{
	char path[4096], text[96];
	ssize_t n;

	note_path(dir, ifindex, path, sizeof(path));
	n = readlink(path, text, sizeof(text) - 1);
	if (n == -1)
		return -errno;
	text[n] = '\0';
	return sscanf(text, "netns=%" SCNu64 " made=%u", &ret->netns, &ret->made) == 2 ? 0 : -EINVAL;
}

static int note_write(const char *dir, int ifindex, const struct note *note)
{
	char path[4096], text[96];

	note_path(dir, ifindex, path, sizeof(path));
	snprintf(text, sizeof(text), "netns=%" PRIu64 " made=%u", note->netns, note->made);
	unlink(path);
	return symlink(text, path) == -1 ? -errno : 0;
}

static uint32_t pinned_program(const char *path)
{
	_cleanup_(closep) int fd = bpf_obj_get(path);

	return fd < 0 ? 0 : tc_program_id(fd);
}

static struct bpf_tc_hook hook_of(int ifindex, enum tc_direction d)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = d == TC_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS);

	return hook;
}

/* Instances differ in their first handle. */
static uint32_t first_handle(const char *dir)
{
	uint32_t hash = 2166136261u;

	for (; *dir; dir++)
		hash = (hash ^ (uint8_t)*dir) * 16777619u;
	return (hash & 0x7fffff00u) + 1;
}

/* The filter that runs program @wanted; with @wanted 0, the first handle that no filter has. 0 when there is none. "Not
 * there" has many numbers: no filter of that handle, none of that priority, none at all. */
static uint32_t find_handle(const char *dir, int ifindex, enum tc_direction d, uint32_t wanted)
{
	struct bpf_tc_hook hook = hook_of(ifindex, d);
	uint32_t first = first_handle(dir);

	for (uint32_t h = first; h < first + HANDLES; h++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = h, .priority = PRIORITY);
		int r = bpf_tc_query(&hook, &opts);

		if (wanted ? r == 0 && opts.prog_id == wanted : r < 0)
			return h;
	}
	return 0;
}

/* An agent that was killed between replacing a filter and its pin left the new program pinned beside. Handle of our
 * filter, 0: none. */
static uint32_t find_ours(const char *dir, int ifindex, enum tc_direction d)
{
	char path[4096], fresh[4096];
	uint32_t id, handle = 0;

	pin_path(dir, ifindex, d, "_new", fresh, sizeof(fresh));
	pin_path(dir, ifindex, d, "", path, sizeof(path));
	id = pinned_program(fresh);
	if (id)
		handle = find_handle(dir, ifindex, d, id);
	if (handle && rename(fresh, path) == -1)
		return 0;
	if (handle)
		return handle;
	id = pinned_program(path);
	return id ? find_handle(dir, ifindex, d, id) : 0;
}

static uint32_t program_here(const char *dir, int ifindex, enum tc_direction d)
{
	char path[4096];

	pin_path(dir, ifindex, d, "", path, sizeof(path));
	return find_ours(dir, ifindex, d) ? pinned_program(path) : 0;
}

static int attach_one(const char *dir, int ifindex, enum tc_direction d, int prog, struct plane_error *err)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog, .priority = PRIORITY);
	struct bpf_tc_hook hook = hook_of(ifindex, d);
	char path[4096], fresh[4096];
	int r;

	opts.handle = find_ours(dir, ifindex, d);
	pin_path(dir, ifindex, d, "_new", fresh, sizeof(fresh));
	pin_path(dir, ifindex, d, "", path, sizeof(path));
	if (opts.handle && pinned_program(path) == tc_program_id(prog))
		return 0;
	if (opts.handle)
		opts.flags = BPF_TC_F_REPLACE;
	else
		opts.handle = find_handle(dir, ifindex, d, 0);
	if (!opts.handle)
		return plane_fail(err, -EEXIST, "link %d has filters of others at all handles that weft uses", ifindex);
	unlink(fresh);
	r = bpf_obj_pin(prog, fresh);
	if (r == 0)
		r = bpf_tc_attach(&hook, &opts);
	if (r == 0)
		return rename(fresh, path) == -1 ? -errno : 0;
	unlink(fresh);
	return plane_fail(err, r, "cannot attach the %s filter to link %d: %s", tc_direction_names[d], ifindex,
			  log_strerror(r));
}

/* True when a filter of ours was there. */
static bool detach_one(const char *dir, int ifindex, enum tc_direction d)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .priority = PRIORITY);
	struct bpf_tc_hook hook = hook_of(ifindex, d);
	char path[4096];

	opts.handle = find_ours(dir, ifindex, d);
	if (opts.handle)
		bpf_tc_detach(&hook, &opts);
	pin_path(dir, ifindex, d, "_new", path, sizeof(path));
	unlink(path);
	pin_path(dir, ifindex, d, "", path, sizeof(path));
	unlink(path);
	return opts.handle != 0;
}

static void sock_freep(struct nl_sock **s)
{
	nl_socket_free(*s);
}

/* When that cannot be told, it counts as used by others. */
static bool is_empty(int ifindex)
{
	static const uint32_t parents[] = { TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) };
	_cleanup_(sock_freep) struct nl_sock *s = nl_socket_alloc();
	struct nl_cache *filters;
	int nr = 0;

	if (!s || nl_connect(s, NETLINK_ROUTE) < 0)
		return false;
	for (size_t i = 0; i < sizeof(parents) / sizeof(*parents); i++) {
		if (rtnl_cls_alloc_cache(s, ifindex, parents[i], &filters) < 0)
			return false;
		nr += nl_cache_nitems(filters);
		nl_cache_free(filters);
	}
	return nr == 0;
}

static void remove_here(const char *dir, int ifindex, const struct note *note)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = (enum bpf_tc_attach_point)(BPF_TC_INGRESS | BPF_TC_EGRESS));
	bool out = detach_one(dir, ifindex, TC_EGRESS), in = detach_one(dir, ifindex, TC_INGRESS);

	/* An index may have come to another device meanwhile: only where we found ours, the qdisc was ours as well. */
	if (note->made && (in || out) && is_empty(ifindex))
		bpf_tc_hook_destroy(&hook);
}

/* Runs @fn in the namespace where the filters are. 0, -ENOENT: that is gone, and with it the filters. */
static int in_namespace(uint64_t netns, void (*fn)(void *ctx), void *ctx)
{
	libbpf_print_fn_t before;
	uint64_t own;
	int r, back = -1;

	r = netns_cookie(&own);
	if (r == 0 && own != netns)
		r = netns_enter(netns, &back);
	if (r < 0)
		return r;
	before = libbpf_set_print(NULL); /* that something is not there is an answer, and no failure */
	fn(ctx);
	libbpf_set_print(before);
	if (back >= 0)
		netns_leave(back);
	return 0;
}

struct removal {
	const char *dir;
	int ifindex;
	struct note note;
};

static void remove_all(void *ctx)
{
	const struct removal *r = ctx;

	remove_here(r->dir, r->ifindex, &r->note);
}

static void unlink_pins(const char *dir, int ifindex)
{
	char path[4096];

	for (int d = 0; d < TC_DIRECTION_MAX; d++) {
		pin_path(dir, ifindex, (enum tc_direction)d, "_new", path, sizeof(path));
		unlink(path);
		pin_path(dir, ifindex, (enum tc_direction)d, "", path, sizeof(path));
		unlink(path);
	}
	note_path(dir, ifindex, path, sizeof(path));
	unlink(path);
}

int clsact_detach(const char *dir, int ifindex)
{
	struct removal removal = { .dir = dir, .ifindex = ifindex };
	int r;

	r = note_read(dir, ifindex, &removal.note);
	if (r == 0)
		r = in_namespace(removal.note.netns, remove_all, &removal);
	if (r == -EPERM || r == -EACCES)
		return r; /* the filters are there still, and the pins are what finds them */
	unlink_pins(dir, ifindex);
	return r == -ENOENT ? 0 : r;
}

/* Our note first: an empty qdisc that stays behind a killed agent is less harm than filters that nobody knows. */
static int make_qdisc(const char *dir, int ifindex, struct plane_error *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = (enum bpf_tc_attach_point)(BPF_TC_INGRESS | BPF_TC_EGRESS));
	struct note note, old;
	int r;

	r = netns_cookie(&note.netns);
	if (r < 0)
		return plane_fail(err, r, "cannot read the cookie of this network namespace: %s", log_strerror(r));
	if (note_read(dir, ifindex, &old) == 0 && old.netns == note.netns)
		note.made = old.made;
	else
		note.made = 0;
	r = bpf_tc_hook_create(&hook);
	if (r < 0 && r != -EEXIST)
		return plane_fail(err, r, "cannot add a clsact qdisc to link %d: %s", ifindex, log_strerror(r));
	note.made |= r == 0;
	r = note_write(dir, ifindex, &note);
	return r < 0 ? plane_fail(err, r, "cannot note the filters of link %d: %s", ifindex, log_strerror(r)) : 0;
}

static int attach_both(const char *dir, int ifindex, const int fd[TC_DIRECTION_MAX], struct plane_error *err)
{
	struct note old;
	bool fresh = note_read(dir, ifindex, &old) != 0;
	int r;

	r = make_qdisc(dir, ifindex, err);
	if (r == 0)
		r = attach_one(dir, ifindex, TC_INGRESS, fd[TC_INGRESS], err);
	if (r == 0)
		r = attach_one(dir, ifindex, TC_EGRESS, fd[TC_EGRESS], err);
	if (r < 0 && fresh)
		clsact_detach(dir, ifindex);
	return r;
}

int clsact_attach(const char *dir, int ifindex, const int fd[TC_DIRECTION_MAX], struct plane_error *err)
{
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	int r = attach_both(dir, ifindex, fd, err);

	libbpf_set_print(before);
	return r;
}

struct query {
	const char *dir;
	int ifindex;
	enum tc_direction d;
	uint32_t id;
};

static void query(void *ctx)
{
	struct query *q = ctx;

	q->id = program_here(q->dir, q->ifindex, q->d);
}

uint32_t clsact_program(const char *dir, int ifindex, enum tc_direction d)
{
	struct query q = { dir, ifindex, d, 0 };
	struct note note;

	if (note_read(dir, ifindex, &note) == 0)
		in_namespace(note.netns, query, &q);
	return q.id;
}
