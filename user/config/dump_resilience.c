/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The normal form of what a service wants when its endpoints are slow, full or broken. */
#include <inttypes.h>

#include "config/dump.h"
#include "config/scalar.h"

static void put_time(FILE *out, const char *key, uint32_t ms)
{
	char text[DURATION_TEXT_LEN];

	fprintf(out, "%s: %s", key, ms ? duration_format(ms, text, sizeof(text)) : "off");
}

static void put_number(FILE *out, const char *key, uint32_t n)
{
	if (n)
		fprintf(out, "%s: %" PRIu32, key, n);
	else
		fprintf(out, "%s: off", key);
}

static void dump_connecting(const struct service *s, FILE *out)
{
	put_time(out, "    connect-timeout", s->connect_timeout_ms);
	fprintf(out, "\n    failover: %s\n", s->failover ? "on" : "off");
	put_time(out, "    drain-timeout", s->drain_ms);
	fprintf(out, "\n");
}

static void dump_sharing(const struct service *s, FILE *out)
{
	if (s->slow_start_ms) {
		put_time(out, "    slow-start: {window", s->slow_start_ms);
		fprintf(out, ", min-percent: %u}\n", s->slow_start_percent);
	} else {
		fprintf(out, "    slow-start: off\n");
	}
	put_number(out, "    panic-threshold", s->panic_percent);
	if (s->zone_aware)
		fprintf(out, "\n    zone-aware: {min-endpoints: %" PRIu32 "}\n", s->zone_endpoints);
	else
		fprintf(out, "\n    zone-aware: off\n");
}

static void dump_limits(const struct limits *l, FILE *out)
{
	fprintf(out, "    limits:\n");
	put_number(out, "      max-connections", l->connections);
	put_number(out, "\n      max-pending", l->pending);
	put_number(out, "\n      max-connections-per-endpoint", l->endpoint_connections);
	put_number(out, "\n      max-pending-per-endpoint", l->endpoint_pending);
	put_number(out, "\n      connects-per-second", l->rate);
	if (l->rate)
		put_number(out, "\n      burst", l->burst);
	fprintf(out, "\n");
}

static void dump_ejection(const struct ejection *e, FILE *out)
{
	if (!e->on) {
		fprintf(out, "    ejection: off\n");
		return;
	}
	put_number(out, "    ejection:\n      consecutive-failures", e->failures);
	put_time(out, "\n      base-time", e->base_ms);
	put_time(out, "\n      max-time", e->max_ms);
	put_time(out, "\n      interval", e->interval_ms);
	fprintf(out, "\n      max-ejected-percent: %u\n", e->percent);
	if (e->rate_endpoints)
		fprintf(out,
			"      success-rate: {min-endpoints: %" PRIu32 ", min-connects: %" PRIu32
			", stdev-factor: %" PRIu32 ".%03" PRIu32 "}\n",
			e->rate_endpoints, e->rate_volume, e->rate_stdev / 1000, e->rate_stdev % 1000);
	else
		fprintf(out, "      success-rate: off\n");
}

static void dump_breaker(const struct breaker *b, FILE *out)
{
	if (!b->percent) {
		fprintf(out, "    breaker: off\n");
		return;
	}
	fprintf(out, "    breaker: {error-percent: %u, min-connects: %" PRIu32 ", ", b->percent, b->volume);
	put_time(out, "sleep-window", b->sleep_ms);
	fprintf(out, "}\n");
}

static void put_text(FILE *out, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(out, "      %s: ", key);
	dump_text(out, text);
	fprintf(out, "\n");
}

static void dump_command(char *const *command, FILE *out)
{
	fprintf(out, "      command: [");
	for (char *const *word = command; *word; word++) {
		fputs(word == command ? "" : ", ", out);
		dump_text(out, *word);
	}
	fprintf(out, "]\n");
}

void dump_check(const struct health_check *c, FILE *out)
{
	if (c->type == HEALTH_NONE) {
		fprintf(out, "    health-check: off\n");
		return;
	}
	fprintf(out, "    health-check:\n      type: %s\n", health_name(c->type));
	put_time(out, "      interval", c->interval_ms);
	put_time(out, "\n      timeout", c->timeout_ms);
	fprintf(out, "\n      rise: %" PRIu32 "\n      fall: %" PRIu32 "\n      jitter: %u\n", c->rise, c->fall,
		c->jitter);
	if (c->port)
		fprintf(out, "      port: %u\n", c->port);
	put_text(out, "path", c->path);
	put_text(out, "host", c->host);
	if (c->type == HEALTH_HTTP || c->type == HEALTH_HTTPS)
		fprintf(out, "      status: %u-%u\n", c->status_min, c->status_max);
	put_text(out, "expect", c->expect);
	put_text(out, "service", c->grpc_service);
	if (c->type == HEALTH_GRPC)
		fprintf(out, "      tls: %s\n", c->tls ? "true" : "false");
	if (c->type == HEALTH_HTTPS || (c->type == HEALTH_GRPC && c->tls))
		fprintf(out, "      verify: %s\n", c->tls_verify ? "true" : "false");
	put_text(out, "ca-file", c->ca_file);
	if (c->command)
		dump_command(c->command, out);
}

void dump_resilience(const struct service *s, FILE *out)
{
	dump_connecting(s, out);
	dump_sharing(s, out);
	dump_limits(&s->limits, out);
	dump_ejection(&s->ejection, out);
	dump_breaker(&s->breaker, out);
	dump_check(&s->check, out);
}
