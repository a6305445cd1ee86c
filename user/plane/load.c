/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Programs into the kernel, and the maps that they use: new ones, pinned, or those that are pinned already. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/pins.h"
#include "plane/state.h"
#include "weft.skel.h"

static void skel_destroyp(struct weft_bpf **s)
{
	weft_bpf__destroy(*s);
}

/* libbpf's and the verifier's words are for whoever asked for debug; the operator gets one sentence. */
static int print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	_cleanup_(freep) char *text = NULL;
	char *line, *rest = NULL;

	if (log_get_level() < LOG_L_DEBUG || vasprintf(&text, fmt, ap) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_msg(LOG_L_DEBUG, "%s", line);
	return 0;
}

static struct bpf_map *map_of(const struct weft_bpf *s, enum plane_map id)
{
	return bpf_object__find_map_by_name(s->obj, plane_map_name(id));
}

/* Index 0 of arrays is never used, hence one more. */
static uint32_t map_size(const struct plane_limits *l, enum plane_map id)
{
	switch (id) {
	case PLANE_MAP_SERVICES:
	case PLANE_MAP_SSTATE:
		return l->services + 1;
	case PLANE_MAP_SPECS:
		return l->specs + 1;
	case PLANE_MAP_SLOTS:
		return (l->slots + WEFT_SLOT_GROUP - 1) / WEFT_SLOT_GROUP;
	case PLANE_MAP_BACKENDS:
	case PLANE_MAP_BSTATE:
		return l->backends + 1;
	case PLANE_MAP_FRONTENDS:
		return l->frontends;
	case PLANE_MAP_AFFINITY:
		return l->affinity;
	case PLANE_MAP_EDGES:
		return l->edges;
	case PLANE_MAP_HANDSHAKES:
		return l->handshakes;
	case PLANE_MAP_NAT:
		return l->nat;
	default: /* CONFIG, COUNTS and the socket storages keep the size that they are written with */
		return 0;
	}
}

static int set_sizes(struct plane *p, struct weft_bpf *s)
{
	int r;

	for (int id = 0; id < PLANE_MAP_MAX; id++) {
		uint32_t size = map_size(&p->limits, (enum plane_map)id);

		r = size ? bpf_map__set_max_entries(map_of(s, (enum plane_map)id), size) : 0;
		if (r)
			return r;
	}
	return 0;
}

static int reuse_maps(const struct maps *m, struct weft_bpf *s)
{
	int r;

	for (int id = 0; id < PLANE_MAP_MAX; id++) {
		r = bpf_map__reuse_fd(map_of(s, (enum plane_map)id), m->fd[id]);
		if (r)
			return r;
	}
	return 0;
}

/* weft_config.abi is stored last: it says that all the others are there. */
static int pin_maps(const struct plane *p, struct weft_bpf *s)
{
	struct weft_config config = { .abi = WEFT_ABI };
	uint32_t key = 0;
	char path[4096];
	int r;

	for (int id = 0; id < PLANE_MAP_MAX; id++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, plane_map_name((enum plane_map)id));
		r = bpf_map__pin(map_of(s, (enum plane_map)id), path);
		if (r)
			return r;
	}
	return bpf_map_update_elem(bpf_map__fd(s->maps.weft_config), &key, &config, BPF_ANY);
}

static int load_failed(struct plane_error *err, int r)
{
	if (r == -EPERM || r == -EACCES)
		return plane_fail(err, r,
				  "the kernel refuses to load the programs: %s; CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON "
				  "are needed, or "
				  "root (WEFT_LOG=debug shows the verifier's words)",
				  log_strerror(r));
	if (r == -ENOMEM || r == -E2BIG)
		return plane_fail(err, r, "the kernel has no memory for the maps: %s; lower limits: in weft.yaml",
				  log_strerror(r));
	if (!kernel_has_btf())
		return plane_fail(
			err, r,
			"this kernel has no BTF (/sys/kernel/btf/vmlinux); one with CONFIG_DEBUG_INFO_BTF is needed");
	return plane_fail(err, r,
			  "the kernel refuses to load the programs: %s; 'weft doctor' says what is missing, "
			  "WEFT_LOG=debug shows the "
			  "verifier's words",
			  log_strerror(r));
}

/* Programs that weft can do without, by the beginnings of their names: failover of handshakes, and ending connections.
 */
static void leave_out_optional(struct weft_bpf *s)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, s->obj)
	{
		const char *name = bpf_program__name(prog);

		if (!strncmp(name, "weft_tc_", 8) || !strncmp(name, "weft_drain_", 11))
			bpf_program__set_autoload(prog, false);
	}
}

/* Opens the programs, for this kernel and for the maps of p->m when there are some. */
static int prepare(struct plane *p, struct weft_bpf **ret, struct plane_error *err)
{
	_cleanup_(skel_destroyp) struct weft_bpf *s = weft_bpf__open();
	int r;

	if (!s)
		return plane_fail(err, -errno, "cannot open the programs inside this binary: %s", log_strerror(-errno));
	s->rodata->weft_has_retval = kernel_has_retval();
	s->rodata->weft_has_skerr = kernel_has_sk_error();
	s->rodata->weft_hz = kernel_hz();
	if (!kernel_has_btf())
		bpf_program__set_autoload(s->progs.weft_iter_flow, false);
	if (!kernel_has_sock_destroy()) {
		bpf_program__set_autoload(s->progs.weft_drain_tcp, false);
		bpf_program__set_autoload(s->progs.weft_drain_udp, false);
	}
	r = p->m ? reuse_maps(p->m, s) : set_sizes(p, s);
	if (r)
		return plane_fail(err, r, "cannot size the maps: %s", log_strerror(r));
	*ret = MOVE(s, NULL);
	return 0;
}

/* A kernel that refuses a program that weft can do without still gets the others. */
static int load(struct plane *p, struct weft_bpf **s, struct plane_error *err)
{
	int r;

	r = weft_bpf__load(*s);
	if (!r || r == -EPERM || r == -ENOMEM) /* what the verifier refuses is -EACCES or -EINVAL */
		return r ? load_failed(err, r) : 0;
	log_msg(LOG_L_DEBUG, "cannot load all programs: %s; trying without those that are optional", log_strerror(r));
	weft_bpf__destroy(MOVE(*s, NULL));
	r = prepare(p, s, err);
	if (r)
		return r;
	leave_out_optional(*s);
	r = weft_bpf__load(*s);
	if (r)
		return load_failed(err, r);
	log_msg(LOG_L_WARNING, "this kernel refuses programs of failover or draining: weft goes on without them; "
			       "WEFT_LOG=debug shows the verifier's words");
	return 0;
}

/* Opens p->skel and loads it, with the maps of p->m when there are some. */
int plane_load(struct plane *p, struct plane_error *err)
{
	_cleanup_(skel_destroyp) struct weft_bpf *s = NULL;
	int r;

	libbpf_set_print(print);
	r = prepare(p, &s, err);
	if (!r)
		r = load(p, &s, err);
	if (r)
		return r;
	if (!p->m) {
		r = pin_maps(p, s);
		if (!r)
			r = maps_open(p->dir, true, &p->m, NULL);
		if (r) {
			pins_remove(p->dir);
			return plane_fail(err, r, "cannot pin the maps in %s: %s", p->dir, log_strerror(r));
		}
	}
	p->skel = MOVE(s, NULL);
	return 0;
}
