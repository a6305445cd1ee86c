/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/http.h"
#include "registry/consul_text.h"

/* ---- paths ---- */

struct path {
	FILE *stream;
	char *text;
	size_t len;
	bool failed, asked; /* asked: the "?" is written */
};

static int path_begin(struct path *p)
{
	*p = (struct path){ .stream = open_memstream(&p->text, &p->len) };
	return p->stream ? 0 : -ENOMEM;
}

static char *path_end(struct path *p)
{
	bool failed = ferror(p->stream) || p->failed;

	failed |= fclose(p->stream) != 0;
	if (failed)
		free(MOVE(p->text, NULL));
	return p->text;
}

static void put_escaped(struct path *p, const char *text)
{
	_cleanup_(freep) char *escaped = http_escape(text);

	if (escaped)
		fputs(escaped, p->stream);
	else
		p->failed = true;
}

/* Nothing when @value is NULL. */
static void put_query(struct path *p, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(p->stream, "%c%s", p->asked ? '&' : '?', key);
	p->asked = true;
	if (*value) {
		fputc('=', p->stream);
		put_escaped(p, value);
	}
}

static void put_scope(struct path *p, const struct consul_scope *s)
{
	put_query(p, "ns", s->namespace);
	put_query(p, "partition", s->partition);
}

char *consul_query_path(const struct consul_query *q)
{
	const char *consistency = q->scope.consistency;
	char number[64];
	struct path p;

	if (path_begin(&p))
		return NULL;
	fputs("/v1/health/service/", p.stream);
	put_escaped(&p, q->service);
	put_query(&p, "passing", q->passing ? "true" : NULL);
	for (char *const *t = q->tags; t && *t; t++)
		put_query(&p, "tag", *t);
	put_query(&p, "dc", q->scope.datacenter);
	put_query(&p, "filter", q->expression);
	put_query(&p, "near", q->scope.near);
	put_scope(&p, &q->scope);
	if (consistency && (!strcmp(consistency, "stale") || !strcmp(consistency, "consistent")))
		put_query(&p, consistency, "");
	if (q->index) {
		snprintf(number, sizeof(number), "%" PRIu64, q->index);
		put_query(&p, "index", number);
		snprintf(number, sizeof(number), "%" PRIu32 "ms", q->wait_ms);
		put_query(&p, "wait", number);
	}
	return path_end(&p);
}

char *consul_agent_path(const char *path, const char *id, const struct consul_scope *scope)
{
	struct path p;

	if (path_begin(&p))
		return NULL;
	fputs(path, p.stream);
	put_escaped(&p, id);
	put_scope(&p, scope);
	return path_end(&p);
}

/* ---- bodies ---- */

static const char *status(const struct consul_entry *e)
{
	return e->up && e->weight ? "passing" : "critical";
}

static const char *output(const struct consul_entry *e)
{
	if (!e->up)
		return "weft: its checks fail";
	return e->weight ? "weft: its checks pass" : "weft: its weight is 0";
}

static char *dump(json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

static json_t *meta_of(const struct consul_entry *e)
{
	json_t *meta = json_object();

	if (e->zone)
		json_object_set_new(meta, "zone", json_string(e->zone));
	for (size_t i = 0; i < e->nr_labels; i++)
		json_object_set_new(meta, e->labels[i].key, json_string(e->labels[i].value));
	return meta;
}

static json_t *check_of(const struct consul_entry *e)
{
	char id[512], ttl[32], gone[32];
	json_t *check;

	snprintf(id, sizeof(id), "service:%s", e->id);
	snprintf(ttl, sizeof(ttl), "%" PRIu32 "ms", e->ttl_ms);
	snprintf(gone, sizeof(gone), "%" PRIu32 "ms", e->gone_ms);
	/* Its status as it is now: without, it would be critical until the first update, also when it was there before.
	 */
	check = json_pack("{ss ss ss ss}", "CheckID", id, "Name", "weft", "TTL", ttl, "Status", status(e));
	if (e->gone_ms)
		json_object_set_new(check, "DeregisterCriticalServiceAfter", json_string(gone));
	return check;
}

char *consul_entry_body(const struct consul_entry *e)
{
	int weight = e->weight ? e->weight : 1; /* Consul knows no 0 here: the check says it */
	json_t *tags = json_array();

	for (char *const *t = e->tags; t && *t; t++)
		json_array_append_new(tags, json_string(*t));
	return dump(json_pack("{ss ss ss si so so s{si si} so}", "ID", e->id, "Name", e->name, "Address", e->address,
			      "Port", (int)e->port, "Tags", tags, "Meta", meta_of(e), "Weights", "Passing", weight,
			      "Warning", 1, "Check", check_of(e)));
}

char *consul_status_body(const struct consul_entry *e)
{
	return dump(json_pack("{ss ss}", "Status", status(e), "Output", output(e)));
}
