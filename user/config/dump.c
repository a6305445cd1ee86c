/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The normal form: everything written out, services by name. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/dump.h"
#include "config/names.h"
#include "config/scalar.h"
#include "config/settings.h"

static const char *word(bool b)
{
	return b ? "true" : "false";
}

/* The next character of UTF-8, which the reader made sure of; *at moves behind it. */
static uint32_t next_char(const char **at)
{
	unsigned char c = (unsigned char)*(*at)++;
	uint32_t n = c < 0x80 ? c : c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0xf : c & 7;

	while ((**at & 0xc0) == 0x80)
		n = n << 6 | (uint32_t)(*(*at)++ & 0x3f);
	return n;
}

/* Characters that YAML takes for line breaks, or does not want to see as they are. */
static bool is_special(uint32_t c)
{
	return (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff;
}

void dump_text(FILE *out, const char *text)
{
	const char *at;

	fputc('"', out);
	for (; *text; text = at) {
		uint32_t c;

		at = text;
		c = next_char(&at);
		if (is_special(c))
			fprintf(out, "\\u%04x", c);
		else
			fprintf(out, "%s%.*s", c == '"' || c == '\\' ? "\\" : "", (int)(at - text), text);
	}
	fputc('"', out);
}

static void put_key(FILE *out, const char *key, const char *text)
{
	fprintf(out, "%s: ", key);
	dump_text(out, text);
	fputc('\n', out);
}

/* When @m is more than weft.yaml's own services, those of the sources are among them: to name both would declare them
 * twice. */
static void dump_sources(const struct config *c, bool written_out, FILE *out)
{
	if (!*c->sources || written_out) {
		fprintf(out, "sources: []\n");
		for (char **source = c->sources; *source; source++)
			fprintf(out, "# written out below: %s\n", *source);
		return;
	}
	fprintf(out, "sources:\n");
	for (char **source = c->sources; *source; source++) {
		fprintf(out, "  - ");
		dump_text(out, *source);
		fputc('\n', out);
	}
}

/* On one line. */
static void dump_list(const char *key, char *const *texts, FILE *out)
{
	fprintf(out, "%s: [", key);
	for (char *const *text = texts; *text; text++) {
		fputs(text == texts ? "" : ", ", out);
		dump_text(out, *text);
	}
	fprintf(out, "]\n");
}

static void dump_settings(const struct config *c, bool written_out, FILE *out)
{
	char audit[DURATION_TEXT_LEN];

	put_key(out, "instance", c->instance);
	if (c->cgroup)
		put_key(out, "cgroup", c->cgroup);
	put_key(out, "bpffs", c->bpffs);
	put_key(out, "socket", c->socket);
	fprintf(out, "metrics:\n");
	put_key(out, "  listen", c->metrics_listen ? c->metrics_listen : "off");
	fprintf(out, "  callers: %s\n  endpoints: %s\n  max-series: %u\n", word(c->metrics_callers),
		word(c->metrics_endpoints), c->metrics_max_series);
	fprintf(out, "audit: %s\n", c->audit_ms ? duration_format(c->audit_ms, audit, sizeof(audit)) : "off");
	fprintf(out, "limits:\n");
#define X(key, field, def, min, max) fprintf(out, "  %s: %u\n", key, c->limits.field);
	CONFIG_LIMITS(X)
#undef X
	if (c->zone)
		put_key(out, "zone", c->zone);
	fprintf(out, "interfaces:\n");
	dump_list("  include", c->links_include, out);
	dump_list("  exclude", c->links_exclude, out);
	if (c->file_output)
		put_key(out, "file-output", c->file_output);
	dump_sources(c, written_out, out);
}

static void dump_endpoint(const struct endpoint *e, FILE *out)
{
	char text[ADDR_TEXT_LEN];

	fprintf(out, "      - {address: \"%s\", weight: %u, priority: %u, ",
		addr_port_format(&e->addr, e->port, text, sizeof(text)), e->weight, e->priority);
	if (e->zone) {
		fprintf(out, "zone: ");
		dump_text(out, e->zone);
		fprintf(out, ", ");
	}
	fprintf(out, "ready: %s}\n", word(!e->unready));
}

/* @c NULL: without what it discovers. */
static void dump_service(const struct config *c, const struct service *s, FILE *out)
{
	char text[ADDR_TEXT_LEN];

	fprintf(out, "  - name: ");
	dump_text(out, s->name);
	fprintf(out, service_lacks_address(s) ? "\n    port:\n" : "\n    addresses:\n");
	for (size_t i = 0; service_lacks_address(s) && i < s->nr_frontends; i++)
		fprintf(out, "      - %u\n", s->frontends[i].port);
	for (size_t i = 0; !service_lacks_address(s) && i < s->nr_frontends; i++)
		fprintf(out, "      - \"%s\"\n",
			addr_port_format(&s->frontends[i].addr, s->frontends[i].port, text, sizeof(text)));
	fprintf(out, "    protocol: %s\n    balance: %s\n    hash-by: %s\n", proto_name(s->proto), lb_name(s->lb),
		client_name(s->hash_by));
	fprintf(out, "    affinity: {by: %s, timeout: %s}\n", client_name(s->affinity),
		duration_format(s->affinity_ms, text, sizeof(text)));
	fprintf(out, "    maglev-table: %u\n", s->maglev_size);
	dump_resilience(s, out);
	fprintf(out, "    endpoints:%s\n", s->nr_endpoints ? "" : " []");
	for (size_t i = 0; i < s->nr_endpoints; i++)
		dump_endpoint(&s->endpoints[i], out);
	if (c)
		dump_discover(c, s, out);
}

static int compare(const void *a, const void *b)
{
	return strcmp((*(const struct service *const *)a)->name, (*(const struct service *const *)b)->name);
}

void config_dump_services(const struct model *m, FILE *out)
{
	fprintf(out, "services:%s\n", m->nr ? "" : " []");
	for (size_t i = 0; i < m->nr; i++)
		dump_service(NULL, m->services[i], out);
}

void config_dump(const struct config *c, const struct model *m, FILE *out)
{
	_cleanup_(freep) const struct service **sorted = calloc(m->nr + 1, sizeof(const struct service *));

	if (!sorted)
		return;
	if (m->nr) /* a model that was not sealed is dumped as well */
		memcpy(sorted, m->services, m->nr * sizeof(const struct service *));
	qsort(sorted, m->nr, sizeof(const struct service *), compare);
	dump_settings(c, m != c->model, out);
	dump_registries(c, out);
	dump_names(c, out);
	fprintf(out, "services:%s\n", m->nr ? "" : " []");
	for (size_t i = 0; i < m->nr; i++)
		dump_service(c, sorted[i], out);
}
