/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The core of discovery with registries of type dns, and a server for them, on one loop. */
#ifndef DNS_PROVIDER_H
#define DNS_PROVIDER_H

#include <errno.h>

#include "discovery/discovery.h"
#include "dns_server.h"
#include "registry/providers.h"
#include "unit.h"

#define DEADLINE_MS 5000

static const struct provider *const only_dns[] = { &provider_dns, NULL };

static uv_loop_t loop;
static struct discovery *d;
static struct model *written, *model;
static struct config *config;
static struct dns_server server, second;
static unsigned changes;
static char endpoints[1024];

static inline void on_changed(void *ctx)
{
	changes++;
}

static inline void setup(void)
{
	struct discovery_options o = { .loop = &loop, .providers = only_dns, .changed = on_changed };

	memset(&server, 0, sizeof(server));
	memset(&second, 0, sizeof(second));
	changes = 0;
	uv_loop_init(&loop);
	ck_assert_int_eq(discovery_new(&o, &d), 0);
	server_start(&server, &loop);
}

static inline void teardown(void)
{
	discovery_close(d, NULL, NULL);
	server_stop(&server);
	server_stop(&second);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	model_free(MOVE(model, NULL));
	model_free(MOVE(written, NULL));
	config_free(MOVE(config, NULL));
}

static inline void load(const char *text, size_t len)
{
	struct config_error e;

	ck_assert_msg(config_parse("test", text, len, &config, &e) == 0, "%s: %s", e.key, e.text);
	written = config->model;
	config->model = model_new();
	ck_assert_int_eq(config_seal(written, &e), 0);
	ck_assert_int_eq(discovery_configure(d, config, written), 0);
}

/* @registry and @source: more keys, "" for none. The second server is one when it listens. */
static inline void configure(const char *registry, const char *source)
{
	_cleanup_(freep) char *text = NULL;
	char other[32] = "";
	int n;

	if (second.port)
		snprintf(other, sizeof(other), ", \"127.0.0.1:%u\"", second.port);
	n = asprintf(&text,
		     "registries: [{name: names, type: dns, servers: [\"127.0.0.1:%u\"%s], min-ttl: 100ms, "
		     "backoff-max: 200ms, timeout: 100ms %s}]\n"
		     "services: [{name: web, address: 1.1.1.1:80, discover: {registry: names, %s}}]\n",
		     server.port, other, registry, source);
	ck_assert_int_gt(n, 0);
	load(text, (size_t)n);
}

/* "ADDRESS:PORT/PRIORITY/WEIGHT ...", shorter for 0 and 1. */
static inline const char *endpoints_now(void)
{
	const struct service *s;
	char text[ADDR_TEXT_LEN];
	size_t n = 0;

	model_free(MOVE(model, NULL));
	ck_assert_int_eq(discovery_model(d, written, &model), 0);
	s = model_find(model, "web");
	*endpoints = '\0';
	for (size_t i = 0; i < s->nr_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];

		n += (size_t)snprintf(endpoints + n, sizeof(endpoints) - n, "%s%s", i ? " " : "",
				      addr_port_format(&e->addr, e->port, text, sizeof(text)));
		if (e->priority || e->weight != 1)
			n += (size_t)snprintf(endpoints + n, sizeof(endpoints) - n, "/%u/%u", e->priority, e->weight);
	}
	return endpoints;
}

static inline void on_tick(uv_timer_t *t)
{
}

static inline void pass(unsigned ms)
{
	uint64_t until = uv_hrtime() + ms * 1000000ull;
	uv_timer_t tick;

	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, on_tick, 1, 1);
	while (uv_hrtime() < until)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static inline void becomes(const char *want)
{
	for (unsigned ms = 0; ms < DEADLINE_MS && strcmp(endpoints_now(), want); ms += 5)
		pass(5);
	ck_assert_str_eq(endpoints_now(), want);
}

static inline int take_view(void *ctx, const struct source_view *v)
{
	*(struct source_view *)ctx = *v;
	return 0;
}

static inline struct source_view view(void)
{
	struct source_view v = { 0 };

	discovery_each_source(d, take_view, &v);
	return v;
}

static inline void source_becomes(enum source_state state)
{
	for (unsigned ms = 0; ms < DEADLINE_MS && view().state != state; ms += 5)
		pass(5);
	ck_assert_str_eq(source_state_name(view().state), source_state_name(state));
}

static inline void told(struct dns_server *s, const struct told *t)
{
	size_t i = 0;

	memset(s->told, 0, sizeof(s->told));
	for (; t->name; t++)
		s->told[i++] = *t;
}
#define TOLD(...) told(&server, (const struct told[]){ __VA_ARGS__, { 0 } })

#define A1                                                                                                             \
	{                                                                                                              \
		"shop.x", DNS_A, 0, "10.0.0.1"                                                                         \
	}
#define A2                                                                                                             \
	{                                                                                                              \
		"shop.x", DNS_A, 0, "10.0.0.2"                                                                         \
	}

#endif
