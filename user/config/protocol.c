/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a UDP service cannot have: nobody answers a connect() of UDP, so there is no handshake to time, to move or to
 * count failures of.
 */
#include <netinet/in.h>

#include "config/services.h"

static int fail(struct reader *rd, const struct services_reading *x, enum service_key key, const char *name)
{
	return reader_fail_key(rd, x->lines[key], name, "needs TCP: a UDP service has no handshakes that could fail");
}

static bool needs_port(const struct health_check *c)
{
	return c->type != HEALTH_NONE && c->type != HEALTH_EXEC && !c->port;
}

int service_finish_protocol(struct reader *rd, struct services_reading *x)
{
	struct service *s = x->service;

	if (s->proto != IPPROTO_UDP)
		return 0;
	if (x->lines[KEY_CONNECT_TIMEOUT] && s->connect_timeout_ms)
		return fail(rd, x, KEY_CONNECT_TIMEOUT, "connect-timeout");
	if (x->lines[KEY_FAILOVER] && s->failover)
		return fail(rd, x, KEY_FAILOVER, "failover");
	if (x->lines[KEY_EJECTION] && s->ejection.on)
		return fail(rd, x, KEY_EJECTION, "ejection");
	if (s->breaker.percent)
		return fail(rd, x, KEY_BREAKER, "breaker");
	if (s->limits.pending)
		return fail(rd, x, KEY_PENDING, "limits.max-pending");
	if (s->limits.endpoint_pending)
		return fail(rd, x, KEY_ENDPOINT_PENDING, "limits.max-pending-per-endpoint");
	if (needs_port(&s->check))
		return reader_fail_key(rd, x->lines[KEY_CHECK], "health-check",
				       "a %s check of a UDP service needs \"port\", the TCP port to be checked",
				       health_name(s->check.type));
	s->connect_timeout_ms = 0;
	s->failover = false;
	ejection_init(&s->ejection);
	s->ejection.on = false;
	return 0;
}
