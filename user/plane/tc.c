/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/netns_cookie.h"
#include "plane/state.h"
#include "plane/tc.h"
#include "plane/tc_hooks.h"
#include "weft.skel.h"

#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

const char *const tc_direction_names[TC_DIRECTION_MAX] = { "egress", "ingress" };

/* What packets of a link begin with. */
enum framing { FRAMING_ETHERNET, FRAMING_IP, FRAMING_MAX, FRAMING_OTHER = FRAMING_MAX };

struct tc_programs {
	int fd[FRAMING_MAX][TC_DIRECTION_MAX];
	bool settled; /* links of another namespace are gone */
};

static const char *const program_names[FRAMING_MAX][TC_DIRECTION_MAX] = {
	{ "weft_tc_egress", "weft_tc_ingress" },
	{ "weft_tc_egress_l3", "weft_tc_ingress_l3" },
};

static enum plane_tc_way chosen_way;

void plane_tc_choose(enum plane_tc_way way)
{
	chosen_way = way;
}

static bool use_tcx(void)
{
	static int has = -1;

	if (chosen_way == PLANE_TC_CLSACT)
		return false;
	if (has < 0)
		has = kernel_has_tcx();
	return has;
}

void tc_programs_free(struct tc_programs *t)
{
	for (int f = 0; t && f < FRAMING_MAX; f++)
		for (int d = 0; d < TC_DIRECTION_MAX; d++)
			closep(&t->fd[f][d]);
	free(t);
}

uint32_t tc_program_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) < 0 ? 0 : info.id;
}

static int program_fd(const struct weft_bpf *skel, const char *name)
{
	const struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, name);
	int fd = prog ? bpf_program__fd(prog) : -1;

	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int tc_programs_keep(struct plane *p)
{
	struct tc_programs *t;

	if (p->tc || !p->skel)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	for (int f = 0; f < FRAMING_MAX; f++)
		for (int d = 0; d < TC_DIRECTION_MAX; d++)
			t->fd[f][d] = program_fd(p->skel, program_names[f][d]);
	p->tc = t;
	return 0;
}

static enum framing framing_of(unsigned arphrd)
{
	switch (arphrd) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return FRAMING_ETHERNET;
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return FRAMING_IP;
	default:
		return FRAMING_OTHER;
	}
}

/* "tcx_egress_7", "clsact_ingress_7_new", "clsact_7": the ifindex; 0: no pin of ours. */
static int pin_ifindex(const char *name)
{
	static const char *const beginnings[] = { "tcx_egress_", "tcx_ingress_", "clsact_egress_", "clsact_ingress_",
						  "clsact_" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
		if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return (int)strtol(name + strlen(beginnings[i]), NULL, 10);
	return 0;
}

bool tc_is_pin(const char *name)
{
	return pin_ifindex(name) > 0;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* The links that have pins, sorted, each once. -ENOENT: no folder. */
static int pinned_links(const char *dir, int **ret, size_t *ret_nr)
{
	_cleanup_(closedirp) DIR *d = NULL;
	_cleanup_(freep) int *all = NULL;
	struct dirent *e;
	char path[4096];
	size_t nr = 0, kept = 0;
	int *more, ifindex;

	snprintf(path, sizeof(path), "%s/links", dir);
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		ifindex = pin_ifindex(e->d_name);
		if (ifindex <= 0)
			continue;
		more = reallocarray(all, nr + 1, sizeof(*all));
		if (!more)
			return -ENOMEM;
		all = more;
		all[nr++] = ifindex;
	}
	if (nr)
		qsort(all, nr, sizeof(*all), compare);
	for (size_t i = 0; i < nr; i++)
		if (!kept || all[kept - 1] != all[i])
			all[kept++] = all[i];
	*ret = MOVE(all, NULL);
	*ret_nr = kept;
	return 0;
}

static int detach(const char *dir, int ifindex)
{
	int a = tcx_detach(dir, ifindex), b = clsact_detach(dir, ifindex);

	return a ? a : b;
}

int tc_detach_all(const char *dir)
{
	_cleanup_(freep) int *all = NULL;
	size_t nr = 0;
	int r, first = 0;

	r = pinned_links(dir, &all, &nr);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < nr; i++) {
		r = detach(dir, all[i]);
		first = first ? first : r;
	}
	return first;
}

static void store_netns(struct plane *p, uint64_t cookie)
{
	__atomic_store_n(&p->m->config->netns, cookie, __ATOMIC_RELEASE);
}

/* Programs know one namespace: what an agent before us left in another is taken away. */
static int settle(struct plane *p, uint64_t own)
{
	uint64_t before = p->m->config->netns;
	int r = 0;

	if (p->tc->settled)
		return 0;
	if (before && before != own) {
		store_netns(p, 0);
		r = tc_detach_all(p->dir);
	}
	p->tc->settled = r == 0;
	return r;
}

static int ready(struct plane *p, uint64_t *ret_cookie, struct plane_error *err)
{
	int r;

	r = netns_cookie(ret_cookie);
	if (r < 0)
		return plane_fail(err, r, "cannot read the cookie of this network namespace: %s", log_strerror(r));
	r = tc_programs_keep(p);
	if (r < 0)
		return plane_fail(err, r, "no memory");
	r = settle(p, *ret_cookie);
	if (r < 0)
		return plane_fail(err, r,
				  "cannot detach failover from the links of another network namespace: %s; 'weft "
				  "unload' by root does",
				  log_strerror(r));
	return 0;
}

int plane_links_attach_type(struct plane *p, int ifindex, unsigned arphrd, struct plane_error *err)
{
	enum framing framing = framing_of(arphrd);
	uint64_t cookie;
	const int *fd;
	int r;

	if (framing == FRAMING_OTHER)
		return plane_fail(err, -EOPNOTSUPP, "failover does not work on links of hardware type %u", arphrd);
	r = ready(p, &cookie, err);
	if (r < 0)
		return r;
	fd = p->tc->fd[framing];
	if (fd[TC_EGRESS] < 0 || fd[TC_INGRESS] < 0)
		return plane_fail(err, -EOPNOTSUPP, "this kernel did not take the programs of failover");
	r = use_tcx() ? tcx_attach(p->dir, ifindex, fd, err) : clsact_attach(p->dir, ifindex, fd, err);
	if (r == 0)
		store_netns(p, cookie);
	return r;
}

int plane_links_attach(struct plane *p, int ifindex, struct plane_error *err)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { 0 };

	if (fd == -1)
		return plane_fail(err, -errno, "cannot open a socket: %s", log_strerror(-errno));
	if (!if_indextoname((unsigned)ifindex, r.ifr_name) || ioctl(fd, SIOCGIFHWADDR, &r) == -1)
		return plane_fail(err, -ENODEV, "there is no link %d", ifindex);
	return plane_links_attach_type(p, ifindex, r.ifr_hwaddr.sa_family, err);
}

int plane_links_detach(struct plane *p, int ifindex)
{
	_cleanup_(freep) int *rest = NULL;
	int r = detach(p->dir, ifindex);
	size_t nr;

	plane_links_pinned(p, &rest, &nr); /* says so to programs when none is left */
	return r;
}

int plane_links_pinned(struct plane *p, int **ret, size_t *ret_nr)
{
	int r = pinned_links(p->dir, ret, ret_nr);

	if (r == 0 && *ret_nr == 0)
		store_netns(p, 0);
	return r;
}

static void describe(const char *dir, int ifindex, bool elsewhere, struct plane_tc *t)
{
	*t = (struct plane_tc){ .ifindex = ifindex, .way = "tcx", .elsewhere = elsewhere };
	if (!elsewhere && !if_indextoname((unsigned)ifindex, t->name))
		*t->name = '\0';
	t->egress = tcx_program(dir, ifindex, TC_EGRESS);
	t->ingress = tcx_program(dir, ifindex, TC_INGRESS);
	if (t->egress || t->ingress)
		return;
	t->egress = clsact_program(dir, ifindex, TC_EGRESS);
	t->ingress = clsact_program(dir, ifindex, TC_INGRESS);
	if (t->egress || t->ingress)
		t->way = "clsact";
}

/* The namespace that weft_config speaks of is not the caller's. */
static bool is_elsewhere(const char *dir)
{
	_cleanup_(maps_closep) struct maps *m = NULL;
	uint64_t own;

	if (maps_open(dir, false, &m, NULL) < 0 || netns_cookie(&own) < 0)
		return false;
	return m->config->netns && m->config->netns != own;
}

int plane_tc_list(const char *dir, struct plane_tc **ret, size_t *ret_nr)
{
	_cleanup_(freep) struct plane_tc *list = NULL;
	_cleanup_(freep) int *all = NULL;
	size_t nr = 0;
	bool elsewhere;
	int r;

	r = pinned_links(dir, &all, &nr);
	if (r < 0)
		return r;
	elsewhere = nr && is_elsewhere(dir);
	list = calloc(nr ? nr : 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		describe(dir, all[i], elsewhere, &list[i]);
	*ret = MOVE(list, NULL);
	*ret_nr = nr;
	return 0;
}
