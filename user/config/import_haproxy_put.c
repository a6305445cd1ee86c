/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What HAProxy's lines said, as keys of a service. */
#include <string.h>

#include "config/import_haproxy.h"

#define DAY_MS 86400000.0
/* HAProxy's own defaults */
#define INTER_MS    2000.0
#define ERROR_LIMIT 10u

static void put_check(const struct haproxy_check *c, FILE *out)
{
	double inter = c->inter_ms >= 10 ? c->inter_ms : c->inter_ms > 0 ? 10 : INTER_MS;
	double timeout = c->timeout_ms > 0 && c->timeout_ms < inter ? c->timeout_ms : inter;
	char text[32];

	fprintf(out, "    health-check: {type: %s", !c->http ? "tcp" : c->tls ? "https" : "http");
	if (c->http && *c->path) {
		fputs(", path: ", out);
		import_put(out, c->path);
	}
	if (c->http && *c->host) {
		fputs(", host: ", out);
		import_put(out, c->host);
	}
	if (c->http && *c->status)
		fprintf(out, ", status: %s", c->status);
	if (c->http && *c->expect) {
		fputs(", expect: ", out);
		import_put(out, c->expect);
	}
	if (c->http && c->tls)
		fputs(", verify: false", out);
	fprintf(out, ", interval: %s", import_ms(inter, 10, DAY_MS, text, sizeof(text)));
	fprintf(out, ", timeout: %s", import_ms(timeout, 1, DAY_MS, text, sizeof(text)));
	if (c->rise)
		fprintf(out, ", rise: %u", c->rise);
	if (c->fall)
		fprintf(out, ", fall: %u", c->fall);
	if (c->port)
		fprintf(out, ", port: %u", c->port);
	fputs("}\n", out);
}

static void put_limits(const struct haproxy *h, FILE *out)
{
	/* A limit that the other one keeps from being reached is refused. */
	bool both = h->endpoint_connections && (!h->connections || h->endpoint_connections <= h->connections);

	if (!h->connections && !both)
		return;
	fputs("    limits: {", out);
	if (h->connections)
		fprintf(out, "max-connections: %u", h->connections);
	if (both)
		fprintf(out, "%smax-connections-per-endpoint: %u", h->connections ? ", " : "", h->endpoint_connections);
	fputs("}\n", out);
}

void haproxy_put(const struct haproxy *h, FILE *out)
{
	bool maglev = h->balance && h->consistent && !strcmp(h->balance, "source-hash");
	char text[32];

	if (h->balance)
		fprintf(out, "    balance: %s\n", maglev ? "maglev" : h->balance);
	if (h->connect_ms > 0)
		fprintf(out, "    connect-timeout: %s\n", import_ms(h->connect_ms, 20, 127000, text, sizeof(text)));
	if (h->slow_start_ms > 0)
		fprintf(out, "    slow-start: %s\n", import_ms(h->slow_start_ms, 100, DAY_MS, text, sizeof(text)));
	put_limits(h, out);
	if (h->observe)
		fprintf(out, "    ejection: {consecutive-failures: %u}\n",
			h->error_limit ? h->error_limit : ERROR_LIMIT);
	if (h->check.on)
		put_check(&h->check, out);
}
