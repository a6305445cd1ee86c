/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A registry made of paper, and what an agent does with the core of discovery, for its tests. */
#ifndef PAPER_H
#define PAPER_H

#include <ftw.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/discovery.h"
#include "unit.h"

#define MOST 16

/* ---- the registry ---- */

struct paper {
	struct registry r;
	uv_timer_t timer; /* closing takes a turn of the loop */
};

static struct lookup *lookups[MOST];
static struct announcement *announcements[MOST];
static struct paper *papers[MOST];
static unsigned opened, closed_nr, started, stopped, announced, changed_up, withdrawn, left;
static bool slow_stop;

static int paper_open(struct registry *r)
{
	struct paper *p = (struct paper *)r;

	uv_timer_init(r->loop, &p->timer);
	p->timer.data = p;
	for (size_t i = 0; i < MOST; i++)
		if (!papers[i]) {
			papers[i] = p;
			break;
		}
	opened++;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct paper *p = h->data;

	for (size_t i = 0; i < MOST; i++)
		if (papers[i] == p)
			papers[i] = NULL;
	closed_nr++;
	registry_closed(&p->r);
}

static void paper_close(struct registry *r)
{
	uv_close((uv_handle_t *)&((struct paper *)r)->timer, on_closed);
}

static int paper_start(struct lookup *l)
{
	for (size_t i = 0; i < MOST; i++)
		if (!lookups[i]) {
			lookups[i] = l;
			break;
		}
	started++;
	return 0;
}

static inline void forget(struct lookup *l)
{
	for (size_t i = 0; i < MOST; i++)
		if (lookups[i] == l)
			lookups[i] = NULL;
	stopped++;
	lookup_stopped(l);
}

static struct lookup *stopping[MOST];

static void paper_stop(struct lookup *l)
{
	/* Its options are its own until it has stopped. */
	ck_assert_str_ne(options_text(l->options, "registry", ""), "");
	if (!slow_stop) {
		forget(l);
		return;
	}
	for (size_t i = 0; i < MOST; i++)
		if (!stopping[i]) {
			stopping[i] = l;
			return;
		}
}

static int paper_announce(struct announcement *a)
{
	for (size_t i = 0; i < MOST; i++)
		if (!announcements[i]) {
			announcements[i] = a;
			break;
		}
	announced++;
	announcement_done(a);
	return 0;
}

static void paper_changed(struct announcement *a)
{
	changed_up++;
	announcement_done(a);
}

static void paper_withdraw(struct announcement *a)
{
	for (size_t i = 0; i < MOST; i++)
		if (announcements[i] == a)
			announcements[i] = NULL;
	withdrawn++;
	left += a->leave;
	announcement_withdrawn(a);
}

static bool yields(const struct registry *r)
{
	return !strcmp(r->name, "whole");
}

/* Under a type that the config knows. */
static struct provider paper = {
	.type = "etcd",
	.said = (const char *const[]){ "ttl", NULL },
	.registry_size = sizeof(struct paper),
	.lookup_size = sizeof(struct lookup),
	.announcement_size = sizeof(struct announcement),
	.yields_services = yields,
	.open = paper_open,
	.close = paper_close,
	.start = paper_start,
	.stop = paper_stop,
	.announce = paper_announce,
	.changed = paper_changed,
	.withdraw = paper_withdraw,
};

/* ---- the agent ---- */

static const struct provider *const all[] = { &paper, NULL };
static uv_loop_t loop;
static struct discovery *d;
static struct config *config;
static struct model *model;
static unsigned changes;
static char state_dir[64];

static void on_changed(void *ctx)
{
	changes++;
}

static void given_discovery(void)
{
	const struct discovery_options o = {
		.loop = &loop, .providers = all, .changed = on_changed, .state_dir = state_dir
	};

	ck_assert_int_eq(discovery_new(&o, &d), 0);
}

static inline void turn(void)
{
	uint64_t until = uv_hrtime() + 20000000;

	while (uv_hrtime() < until)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static inline void configure(const char *text)
{
	struct config *c = NULL, *old = config;
	struct config_error e;
	char said[5000];

	ck_assert_msg(!config_parse("x", text, strlen(text), &c, &e), "%s",
		      config_error_format(&e, said, sizeof(said)));
	ck_assert_int_eq(config_seal(c->model, &e), 0);
	ck_assert_msg(!config_check_registries(c, c->model, &e), "%s", config_error_format(&e, said, sizeof(said)));
	ck_assert_int_eq(discovery_configure(d, c, c->model), 0);
	config = c;
	config_free(old);
}

static inline const char *endpoints_of(const char *service)
{
	static char text[1024];
	struct model *m = NULL;
	const struct service *s;
	char at[ADDR_TEXT_LEN];
	size_t len = 0;

	ck_assert_int_eq(discovery_model(d, config->model, &m), 0);
	model_free(model);
	model = m;
	s = model_find(m, service);
	text[0] = '\0';
	if (!s)
		return "none";
	for (size_t i = 0; i < s->nr_endpoints; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
					addr_port_format(&s->endpoints[i].addr, s->endpoints[i].port, at, sizeof(at)));
	return text;
}

static inline void found(struct lookup *l, ...)
{
	struct found f = { 0 };
	const char *host;
	va_list ap;

	ck_assert_ptr_nonnull(l);
	va_start(ap, l);
	while ((host = va_arg(ap, const char *)))
		ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = host, .port = 80 }), 0);
	va_end(ap);
	lookup_found(l, &f);
	ck_assert_uint_eq(f.nr, 0);
}
#define FOUND(l, ...) found(l, __VA_ARGS__, NULL)

static int wipe(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	snprintf(state_dir, sizeof(state_dir), "/tmp/weft-discovery-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(state_dir));
	uv_loop_init(&loop);
	memset(lookups, 0, sizeof(lookups));
	memset(stopping, 0, sizeof(stopping));
	memset(papers, 0, sizeof(papers));
	opened = closed_nr = started = stopped = announced = changed_up = withdrawn = left = changes = 0;
	slow_stop = false;
	paper.empty_is_true = false;
	config = NULL;
	model = NULL;
	given_discovery();
}

static void end(void)
{
	if (d)
		discovery_close(MOVE(d, NULL), NULL, NULL);
	for (size_t i = 0; i < MOST; i++)
		if (stopping[i])
			forget(MOVE(stopping[i], NULL));
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_uint_eq(opened, closed_nr);
	ck_assert_uint_eq(started, stopped);
	ck_assert_uint_eq(announced, withdrawn);
}

static void teardown(void)
{
	end();
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	config_free(config);
	model_free(model);
	nftw(state_dir, wipe, 8, FTW_DEPTH | FTW_PHYS);
}

#define REGISTRY "registries: [{name: zk, type: etcd, servers: [a]}]\n"
#define WEB	 "services: [{name: web, address: 1.1.1.1:80, discover: {registry: zk, prefix: /web}}]\n"

static inline TCase *suite_paper(Suite *s)
{
	TCase *c = tcase_create("core");

	tcase_add_checked_fixture(c, setup, teardown);
	suite_add_tcase(s, c);
	return c;
}

#endif
