/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "model/resilience.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

void limits_init(struct limits *l)
{
	*l = (struct limits){ 0 };
}

/* Envoy's numbers; its success rate is off. */
void ejection_init(struct ejection *e)
{
	*e = (struct ejection){
		.on = true,
		.failures = 5,
		.base_ms = 30000,
		.max_ms = 300000,
		.interval_ms = 10000,
		.percent = 50,
		.rate_volume = 100,
		.rate_stdev = 1900,
	};
}

void breaker_init(struct breaker *b)
{
	*b = (struct breaker){ .volume = 20, .sleep_ms = 5000 };
}

void health_check_init(struct health_check *c)
{
	*c = (struct health_check){
		.type = HEALTH_NONE,
		.jitter = 10,
		.status_min = 200,
		.status_max = 399,
		.tls_verify = true,
		.interval_ms = 10000,
		.timeout_ms = 1000,
		.rise = 2,
		.fall = 3,
	};
}

void health_check_done(struct health_check *c)
{
	free(c->path);
	free(c->host);
	free(c->expect);
	free(c->grpc_service);
	free(c->ca_file);
	for (char **word = c->command; word && *word; word++)
		free(*word);
	free(c->command);
	c->path = c->host = c->expect = c->grpc_service = c->ca_file = NULL;
	c->command = NULL;
}

bool limits_equal(const struct limits *a, const struct limits *b)
{
	return a->connections == b->connections && a->pending == b->pending &&
	       a->endpoint_connections == b->endpoint_connections && a->endpoint_pending == b->endpoint_pending &&
	       a->rate == b->rate && a->burst == b->burst;
}

bool ejection_equal(const struct ejection *a, const struct ejection *b)
{
	return a->on == b->on && a->failures == b->failures && a->base_ms == b->base_ms && a->max_ms == b->max_ms &&
	       a->interval_ms == b->interval_ms && a->percent == b->percent && a->rate_endpoints == b->rate_endpoints &&
	       a->rate_volume == b->rate_volume && a->rate_stdev == b->rate_stdev;
}

bool breaker_equal(const struct breaker *a, const struct breaker *b)
{
	return a->percent == b->percent && a->volume == b->volume && a->sleep_ms == b->sleep_ms;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool texts_equal(char *const *a, char *const *b)
{
	if (!a || !b)
		return a == b;
	for (; *a && *b; a++, b++)
		if (strcmp(*a, *b))
			return false;
	return *a == *b;
}

bool health_check_equal(const struct health_check *a, const struct health_check *b)
{
	return a->type == b->type && a->jitter == b->jitter && a->port == b->port && a->status_min == b->status_min &&
	       a->status_max == b->status_max && a->tls_verify == b->tls_verify && a->tls == b->tls &&
	       a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms && a->rise == b->rise &&
	       a->fall == b->fall && text_equal(a->path, b->path) && text_equal(a->host, b->host) &&
	       text_equal(a->expect, b->expect) && text_equal(a->grpc_service, b->grpc_service) &&
	       text_equal(a->ca_file, b->ca_file) && texts_equal(a->command, b->command);
}

static const struct {
	const char *name, *text;
} checks[] = {
#define X(id, name, text) [HEALTH_##id] = { name, text },
	HEALTH_CHECKS(X)
#undef X
};

const char *health_name(unsigned type)
{
	return type < NR(checks) ? checks[type].name : "unknown";
}

const char *health_text(unsigned type)
{
	return type < NR(checks) ? checks[type].text : "unknown";
}
