/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Each entry of `register:` with a check is, to the checker, a service with one endpoint. It is not one to the kernel:
 * these checks have a checker of their own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/privs.h"
#include "agent/register.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "health/health.h"
#include "plane/health.h"

static void on_socket(void *ctx, int fd, const struct weft_addr *addr, uint16_t port)
{
	struct agent *a = ctx;

	privs_enter();
	plane_pass_socket(a->plane, fd);
	privs_leave();
}

/* To the checker, an entry is called "NAME ADDRESS:PORT": one name may be registered at several. */
static void on_result(void *ctx, const struct health_result *r)
{
	struct agent *a = ctx;
	char name[WEFT_NAME_LEN];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(r->service, " "), r->service);
	if (r->changed)
		log_msg(r->healthy ? LOG_L_INFO : LOG_L_WARNING, "registering %s: %s: %s", r->service,
			r->healthy ? "healthy" : "unhealthy", r->text);
	/* Before the first check has passed, or enough have failed, nothing is known. */
	if (a->discovery && (!r->healthy || r->passed))
		discovery_set_up(a->discovery, name, &r->addr, r->port, r->healthy);
}

/* So that one that passes its first check is up at once: an agent that starts anew must not leave a gap. */
static bool begins_healthy(void *ctx, const char *service, const struct weft_addr *addr, uint16_t port)
{
	return true;
}

/* Entries of one name and address (in several registries) have the checks of the first. */
static int add(struct model *m, const struct register_config *r)
{
	_cleanup_(service_unrefp) struct service *s = NULL;
	const struct endpoint e = { .addr = r->addr, .port = r->port, .weight = 1 };
	char at[ADDR_TEXT_LEN], name[WEFT_NAME_LEN + ADDR_TEXT_LEN];
	struct service bare = { .name = name, .check = r->check };

	addr_port_format(&r->addr, r->port, at, sizeof(at));
	snprintf(name, sizeof(name), "%s %s", r->name, at);
	for (size_t i = 0; i < m->nr; i++)
		if (!strcmp(m->services[i]->name, name))
			return 0;
	s = service_clone(&bare);
	if (!s || service_add_endpoint(s, &e))
		return -ENOMEM;
	return model_add(m, s);
}

void register_apply(struct agent *a, const struct config *c)
{
	const struct health_hooks hooks = { a, on_socket, begins_healthy, on_result };
	_cleanup_(model_freep) struct model *m = model_new();
	const struct service *first, *second;
	const struct frontend *f;
	int r = m ? 0 : -ENOMEM;

	if (!a->discovery)
		return;
	for (size_t i = 0; !r && i < c->nr_announcements; i++) {
		const struct register_config *g = &c->announcements[i];

		if (g->check.type != HEALTH_NONE)
			r = add(m, g);
		else
			discovery_set_up(a->discovery, g->name, &g->addr, g->port, true);
	}
	if (!r && m->nr)
		r = model_seal(m, &first, &second, &f);
	if (!r && m->nr && !a->register_health)
		r = health_new(&a->loop, &hooks, &a->register_health);
	if (!r && a->register_health)
		r = health_apply(a->register_health, m);
	if (r < 0)
		log_msg(LOG_L_ERROR, "cannot begin the checks of what is registered: %s", log_strerror(r));
}

void register_done(struct agent *a)
{
	health_free(MOVE(a->register_health, NULL));
}
