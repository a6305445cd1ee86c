/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Circuit breakers, outlier detection and health checks of a Cluster. Values are brought into the ranges that weft.yaml
 * has (docs/CONFIG.md), for what is found is kept in its form.
 */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "registry/envoy_cluster.h"

#define PLACES	    100000000u
#define DAY_MS	    (24u * 3600 * 1000)
#define HOUR_MS	    (3600u * 1000)
#define PATH_MOST   1024
#define CA_MOST	    4000
#define NAME_MOST   253
#define STREAK_MOST 1000000u

static uint32_t clamp(uint32_t n, uint32_t least, uint32_t most)
{
	return n < least ? least : n > most ? most : n;
}

static uint32_t number(const json_t *object, const char *key, uint32_t def, struct envoy_odd *odd)
{
	uint32_t n;

	if (envoy_number(object, key, def, &n))
		envoy_odd_say(odd, "%s is no number", key);
	return n;
}

static uint32_t ms(const json_t *object, const char *key, uint32_t def, struct envoy_odd *odd)
{
	uint32_t n;

	if (envoy_ms(object, key, def, &n))
		envoy_odd_say(odd, "%s is no duration", key);
	return n;
}

/* ---- circuit breakers ---- */

/* What is beyond all reason is how "no limit" is written there; no connections at all cannot be said here. */
static uint32_t limit(const json_t *thresholds, const char *key, struct envoy_odd *odd)
{
	uint32_t n = number(thresholds, key, UINT32_MAX, odd);

	if (!n)
		envoy_odd_say(odd, "%s: 0 has no counterpart", key);
	return n > PLACES ? 0 : n;
}

static const json_t *of_default_priority(const json_t *list)
{
	static const char *const words[] = { "DEFAULT", "HIGH", NULL };
	const json_t *at;
	unsigned priority;
	size_t i;

	json_array_foreach(list, i, at) if (!envoy_enum(at, "priority", words, &priority) && priority == 0) return at;
	return NULL;
}

/* One that a smaller one keeps from ever being reached is none. */
static void below(uint32_t *limit, uint32_t other)
{
	if (other && *limit > other)
		*limit = 0;
}

void envoy_take_limits(const json_t *cluster, struct service *s, struct envoy_odd *odd)
{
	const json_t *all = envoy_get(cluster, "circuit_breakers");
	const json_t *whole = of_default_priority(envoy_get(all, "thresholds"));
	const json_t *each = of_default_priority(envoy_get(all, "per_host_thresholds"));
	struct limits *l = &s->limits;

	if (json_array_size(envoy_get(all, "thresholds")) > (whole != NULL))
		envoy_odd_say(odd, "circuit_breakers of priority HIGH have no counterpart");
	l->connections = limit(whole, "max_connections", odd);
	l->pending = s->proto == IPPROTO_TCP ? limit(whole, "max_pending_requests", odd) : 0;
	l->endpoint_connections = limit(each, "max_connections", odd);
	below(&l->pending, l->connections);
	below(&l->endpoint_connections, l->connections);
}

/* ---- outlier detection ---- */

/* Those who eject by chance (1 to 99 percent) eject always here. */
static bool enforces(const json_t *o, const char *key, uint32_t def, struct envoy_odd *odd)
{
	uint32_t percent = number(o, key, def, odd);

	if (percent > 0 && percent < 100)
		envoy_odd_say(odd, "%s: all or nothing here, taken as 100", key);
	return percent > 0;
}

/* To Envoy's TCP proxy a connect that fails is a 5xx and a gateway failure alike, unless they are told apart. */
static uint32_t streak(const json_t *o, bool split, struct envoy_odd *odd)
{
	uint32_t least = 0, n;

	if (split)
		return enforces(o, "enforcing_consecutive_local_origin_failure", 100, odd)
			       ? number(o, "consecutive_local_origin_failure", 5, odd)
			       : 0;
	if (enforces(o, "enforcing_consecutive_5xx", 100, odd))
		least = number(o, "consecutive_5xx", 5, odd);
	if (enforces(o, "enforcing_consecutive_gateway_failure", 0, odd)) {
		n = number(o, "consecutive_gateway_failure", 5, odd);
		least = n && (!least || n < least) ? n : least;
	}
	return least;
}

static void take_rate(const json_t *o, bool split, struct ejection *e, struct envoy_odd *odd)
{
	uint32_t hosts = number(o, "success_rate_minimum_hosts", 5, odd);

	if (!enforces(o, split ? "enforcing_local_origin_success_rate" : "enforcing_success_rate", 100, odd) || !hosts)
		return;
	e->rate_endpoints = clamp(hosts, 2, WEFT_ENDPOINTS_PER_SERVICE);
	e->rate_volume = clamp(number(o, "success_rate_request_volume", 100, odd), 1, 1000000);
	e->rate_stdev = clamp(number(o, "success_rate_stdev_factor", 1900, odd), 1, 10000);
}

void envoy_take_ejection(const json_t *cluster, struct service *s, struct envoy_odd *odd)
{
	const json_t *o = envoy_get(cluster, "outlier_detection");
	struct ejection e;
	bool split;

	s->ejection.on = false;
	if (!o || s->proto != IPPROTO_TCP)
		return;
	ejection_init(&e);
	if (envoy_bool(o, "split_external_local_origin_errors", false, &split))
		envoy_odd_say(odd, "split_external_local_origin_errors is no truth");
	e.failures = streak(o, split, odd);
	e.failures = e.failures > STREAK_MOST ? STREAK_MOST : e.failures;
	e.interval_ms = clamp(ms(o, "interval", 10000, odd), 100, HOUR_MS);
	e.base_ms = clamp(ms(o, "base_ejection_time", 30000, odd), 1, DAY_MS);
	e.max_ms = clamp(ms(o, "max_ejection_time", 300000, odd), e.base_ms, DAY_MS);
	e.percent = (uint8_t)clamp(number(o, "max_ejection_percent", 10, odd), 1, 100);
	take_rate(o, split, &e, odd);
	if (number(o, split ? "enforcing_failure_percentage_local_origin" : "enforcing_failure_percentage", 0, odd))
		envoy_odd_say(odd, "failure_percentage has no counterpart");
	if (e.failures || e.rate_endpoints)
		s->ejection = e;
}

/* ---- health checks ---- */

static int copy(const char *text, size_t most, char **ret)
{
	if (!text || strlen(text) > most)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* Text as weft.yaml has it for paths and names. */
static bool is_plain(const char *text)
{
	for (; text && *text; text++)
		if (*text <= ' ' || *text >= 127 || strchr("\"'`\\", *text))
			return false;
	return true;
}

/* As weft.yaml has it: a name without a port. */
static bool is_host(const char *text)
{
	return text &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == strlen(text);
}

static int take_host(const char *text, struct health_check *c, struct envoy_odd *odd)
{
	if (text && !is_host(text))
		envoy_odd_say(odd, "a health check's host is no name");
	return is_host(text) ? copy(text, NAME_MOST, &c->host) : 0;
}

/* The cluster's own TLS is what its HTTP checks use. */
static int take_tls(const json_t *cluster, struct health_check *c, struct envoy_odd *odd)
{
	const json_t *socket = envoy_get(cluster, "transport_socket");
	const json_t *context = envoy_get(socket, "typed_config");
	const json_t *common = envoy_get(context, "common_tls_context");
	const char *ca = envoy_text(envoy_get(envoy_get(common, "validation_context"), "trusted_ca"), "filename");
	const char *name = envoy_text(context, "sni");

	if (!socket || !envoy_is_a(context, "UpstreamTlsContext") || c->type == HEALTH_TCP)
		return 0;
	if (c->type == HEALTH_HTTP)
		c->type = HEALTH_HTTPS;
	c->tls = c->type == HEALTH_GRPC;
	c->tls_verify = ca && *ca == '/' && is_plain(ca) &&
			strlen(ca) <= CA_MOST; /* Envoy checks nothing without authorities, either */
	if (c->tls_verify && copy(ca, CA_MOST, &c->ca_file))
		return -ENOMEM;
	return c->host ? 0 : take_host(name, c, odd);
}

static int take_http(const json_t *http, struct health_check *c, struct envoy_odd *odd)
{
	const json_t *range = json_array_get(envoy_get(http, "expected_statuses"), 0);
	const char *path = envoy_text(http, "path"), *host = envoy_text(http, "host");
	uint32_t first = number(range, "start", 200, odd), behind = number(range, "end", 201, odd);

	c->type = HEALTH_HTTP;
	if (json_array_size(envoy_get(http, "expected_statuses")) > 1)
		envoy_odd_say(odd, "of several expected_statuses the first range counts");
	if (envoy_get(http, "receive"))
		envoy_odd_say(odd, "a health check's \"receive\" has no counterpart");
	c->status_min = (uint16_t)clamp(first, 100, 599);
	c->status_max = (uint16_t)clamp(behind ? behind - 1 : 0, c->status_min, 599);
	if (path && (*path != '/' || !is_plain(path) || strlen(path) > PATH_MOST)) {
		envoy_odd_say(odd, "a health check's path is none");
		path = NULL;
	}
	return copy(path ? path : "/", PATH_MOST, &c->path) ? -ENOMEM : take_host(host, c, odd);
}

static int take_grpc(const json_t *grpc, struct health_check *c, struct envoy_odd *odd)
{
	const char *service = envoy_text(grpc, "service_name"), *host = envoy_text(grpc, "authority");

	c->type = HEALTH_GRPC;
	if (is_plain(service) && copy(service, NAME_MOST, &c->grpc_service))
		return -ENOMEM;
	return take_host(host, c, odd);
}

static int take_one(const json_t *check, struct health_check *c, struct envoy_odd *odd)
{
	double jitter;
	uint32_t timeout;

	c->interval_ms = clamp(ms(check, "interval", 10000, odd), 10, DAY_MS);
	timeout = ms(check, "timeout", 1000, odd);
	if (timeout > c->interval_ms)
		envoy_odd_say(odd, "a health check's timeout is longer than its interval, and is cut");
	c->timeout_ms = clamp(timeout, 1, c->interval_ms);
	c->rise = clamp(number(check, "healthy_threshold", 2, odd), 1, 1000);
	c->fall = clamp(number(check, "unhealthy_threshold", 3, odd), 1, 1000);
	if (envoy_real(check, "interval_jitter_percent", 10, &jitter))
		envoy_odd_say(odd, "interval_jitter_percent is no number");
	c->jitter = (uint8_t)clamp((uint32_t)fmax(0, fmin(100, jitter)), 0, 100);
	if (envoy_get(check, "http_health_check"))
		return take_http(envoy_get(check, "http_health_check"), c, odd);
	if (envoy_get(check, "grpc_health_check"))
		return take_grpc(envoy_get(check, "grpc_health_check"), c, odd);
	c->type = HEALTH_TCP;
	if (envoy_get(envoy_get(check, "tcp_health_check"), "send") ||
	    envoy_get(envoy_get(check, "tcp_health_check"), "receive"))
		envoy_odd_say(odd, "a tcp_health_check's \"send\" and \"receive\" have no counterpart");
	return 0;
}

static bool is_known(const json_t *check)
{
	return envoy_get(check, "http_health_check") || envoy_get(check, "grpc_health_check") ||
	       envoy_get(check, "tcp_health_check");
}

int envoy_take_check(const json_t *cluster, struct service *s, struct envoy_odd *odd)
{
	const json_t *list = envoy_get(cluster, "health_checks"), *check, *first = NULL;
	size_t i;
	int r;

	json_array_foreach(list, i, check)
	{
		if (is_known(check) && !first)
			first = check;
		else
			envoy_odd_say(odd, "one health check of the kinds tcp, http and grpc is taken, not more");
	}
	if (!first)
		return 0;
	if (s->proto != IPPROTO_TCP) {
		envoy_odd_say(odd, "health checks of a UDP service have no port of their own");
		return 0;
	}
	r = take_one(first, &s->check, odd);
	return r ? r : take_tls(cluster, &s->check, odd);
}
