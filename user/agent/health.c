/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From results of checks to the kernel and to the log. */
#include "agent/health.h"
#include "agent/privs.h"
#include "agent/state.h"
#include "base/log.h"
#include "health/health.h"
#include "plane/health.h"

#define SAID_MAX     20 /* changes told in one second; a whole network that fails is one line more */
#define SAID_TIME_NS 1000000000ull

/*
 * Every socket, not only those to an address that is a service's: asking the map costs a system call like the mark
 * itself, and the answer may be another one before connect() runs.
 */
static void on_socket(void *ctx, int fd, const struct weft_addr *addr, uint16_t port)
{
	struct agent *a = ctx;
	int r;

	privs_enter();
	r = plane_pass_socket(a->plane, fd);
	privs_leave();
	if (r < 0 && !a->health_said.unmarked) {
		a->health_said.unmarked = true;
		log_msg(LOG_L_WARNING,
			"cannot mark the sockets of health checks (%s); a check of an address that is a service's goes "
			"to one of its endpoints",
			log_strerror(r));
	}
}

static bool is_healthy(void *ctx, const char *service, const struct weft_addr *addr, uint16_t port)
{
	struct agent *a = ctx;

	return plane_get_health(a->plane, service, addr, port) == 1;
}

/* Whether another change may be told; of those that were not, a sentence follows. */
static bool may_say(struct agent *a)
{
	struct health_said *s = &a->health_said;
	uint64_t now = uv_hrtime();

	if (now - s->since_ns >= SAID_TIME_NS) {
		if (s->kept_back)
			log_msg(LOG_L_INFO,
				"%u more endpoints became healthy or unhealthy; `weft status` and GET "
				"/health tell which",
				s->kept_back);
		*s = (struct health_said){ .since_ns = now, .unmarked = s->unmarked };
	}
	if (s->nr < SAID_MAX) {
		s->nr++;
		return true;
	}
	s->kept_back++;
	return false;
}

static void say_result(struct agent *a, const struct health_result *r, int changes)
{
	char at[ADDR_TEXT_LEN];

	addr_port_format(&r->addr, r->port, at, sizeof(at));
	if (r->changed && may_say(a))
		log_msg(r->healthy ? LOG_L_INFO : LOG_L_WARNING, "service '%s': endpoint %s is %s: %s", r->service, at,
			r->healthy ? "healthy" : "unhealthy", r->text);
	if (changes & PLANE_HEALTH_UNEJECTED && may_say(a))
		log_msg(LOG_L_INFO, "service '%s': endpoint %s passed its check: its ejection is over", r->service, at);
}

static void on_result(void *ctx, const struct health_result *r)
{
	enum plane_health health = !r->healthy ? PLANE_UNHEALTHY : r->passed ? PLANE_PASSED : PLANE_HEALTHY;
	struct agent *a = ctx;
	int changes = plane_set_health(a->plane, r->service, &r->addr, r->port, health);

	if (changes < 0)
		log_msg(LOG_L_DEBUG, "service '%s' has no endpoint that was checked: %s", r->service,
			log_strerror(changes));
	else
		say_result(a, r, changes);
}

static bool has_checks(const struct model *m)
{
	for (size_t i = 0; i < m->nr; i++)
		if (m->services[i]->check.type != HEALTH_NONE)
			return true;
	return false;
}

void agent_health_apply(struct agent *a)
{
	const struct health_hooks hooks = { a, on_socket, is_healthy, on_result };
	int r = 0;

	if (!a->model)
		return;
	if (!a->health && has_checks(a->model))
		r = health_new(&a->loop, &hooks, &a->health);
	if (r == 0 && a->health)
		r = health_apply(a->health, a->model);
	if (r < 0)
		log_msg(LOG_L_ERROR, "cannot begin all health checks: %s; the next reload tries again",
			log_strerror(r));
}

void agent_health_done(struct agent *a)
{
	health_free(a->health);
	a->health = NULL;
}
