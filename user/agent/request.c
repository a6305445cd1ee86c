/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A metrics page takes as long as there are edges and sockets, so a worker thread writes it into a memory file, and the
 * loop goes on. That thread reads maps that others write, as `weft metrics` does from another process.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/api.h"
#include "agent/events.h"
#include "agent/links.h"
#include "agent/privs.h"
#include "agent/naming.h"
#include "agent/registries.h"
#include "agent/request.h"
#include "agent/state.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "health/health.h"

#define PAGE_BUFFER (64 * 1024)
#define TRIM_FROM   (1 << 20) /* bytes of a page whose making took much memory */

struct request {
	struct request_door *door;
	struct MHD_Connection *connection;
	uv_work_t work;
	bool written;		   /* the worker is done */
	struct metrics_agent seen; /* with copies of what the loop may change meanwhile: */
	struct metrics_ejections *ejections;
	struct metrics_health *health;
	struct metrics_registry *registries;
	struct metrics_source *sources;
	struct metrics_options options;
	const struct maps *maps;
	int result;
	int fd; /* of the page; -1 when there is none */
	uint64_t size;
};

static enum MHD_Result reply_response(struct MHD_Connection *c, unsigned code, const char *type, const char *allow,
				      struct MHD_Response *response)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	r = MHD_queue_response(c, code, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result reply_text(struct MHD_Connection *c, unsigned code, const char *allow, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static enum MHD_Result reply_text(struct MHD_Connection *c, unsigned code, const char *allow, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = strlen(text);
	text[n++] = '\n';
	return reply_response(c, code, "text/plain; charset=utf-8", allow,
			      MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_COPY));
}

static void write_page(uv_work_t *work)
{
	struct request *q = work->data;
	_cleanup_(fclosep) FILE *out = NULL;
	_cleanup_(closep) int fd = -1;
	off_t size;
	int copy;

	q->result = -ENOMEM;
	fd = memfd_create("weft-metrics", MFD_CLOEXEC);
	if (fd == -1)
		return;
	copy = dup(fd);
	out = copy >= 0 ? fdopen(copy, "w") : NULL;
	if (!out) {
		if (copy >= 0)
			close(copy);
		return;
	}
	setvbuf(out, NULL, _IOFBF, PAGE_BUFFER);
	privs_enter();
	q->result = metrics_write(q->maps, &q->options, out);
	privs_leave();
	size = lseek(fd, 0, SEEK_CUR);
	if (q->result < 0 || size < 0)
		return;
	q->size = (uint64_t)size;
	q->fd = MOVE(fd, -1);
}

static void page_written(uv_work_t *work, int status)
{
	struct request *q = work->data;
	struct request_door *door = q->door;

	door->agent->jobs--;
	q->written = true;
	if (status < 0)
		q->result = -ECANCELED;
	if (q->size >= TRIM_FROM)
		malloc_trim(0);
	MHD_resume_connection(q->connection);
	door->wake(door);
}

static void copy_names(struct metrics_names *ret, const struct responder_seen *s)
{
	_Static_assert(METRICS_REPLIES == REPLY_KINDS, "a kind of reply that metrics do not know");

	if (!s)
		return;
	*ret = (struct metrics_names){ .on = true, .names = s->names, .udp = s->udp, .tcp = s->tcp, .lost = s->lost };
	memcpy(ret->replies, s->replies, sizeof(ret->replies));
}

/* The worker must not read what the loop writes. Without memory the page lacks these. */
static void copy_seen(struct request *q, const struct agent *a)
{
	_cleanup_(freep) struct health_counts *counts = NULL;
	struct health_totals totals = { 0 };
	size_t nr = 0;

	q->seen = a->seen;
	q->seen.failover_links = links_count(a);
	if (events_ejections(a, &q->ejections, &nr) == 0) {
		q->seen.ejections = q->ejections;
		q->seen.nr_ejections = nr;
	}
	registries_metrics(a, &q->registries, &q->seen.nr_registries, &q->sources, &q->seen.nr_sources);
	q->seen.registries = q->registries;
	q->seen.sources = q->sources;
	copy_names(&q->seen.names, naming_seen(a->naming));
	health_totals(a->health, &totals);
	q->seen.checks_late = totals.late;
	if (health_counts(a->health, &counts, &nr) < 0 || !nr)
		return;
	q->health = calloc(nr, sizeof(*q->health));
	for (size_t i = 0; q->health && i < nr; i++) {
		const struct health_counts *c = &counts[i];

		q->health[i] = (struct metrics_health){ .successes = c->successes,
							.failures = c->failures,
							.healthy = c->healthy,
							.unhealthy = c->unhealthy,
							.unknown = c->unknown };
		memcpy(q->health[i].service, c->service, sizeof(q->health[i].service));
	}
	q->seen.health = q->health;
	q->seen.nr_health = q->health ? nr : 0;
}

static enum MHD_Result answer_metrics(struct request *q, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	struct agent *a = q->door->agent;

	if (q->written && q->result < 0)
		return reply_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "cannot read the maps: %s",
				  log_strerror(q->result));
	if (q->written)
		return reply_response(c, MHD_HTTP_OK, metrics_content_type(q->options.format), NULL,
				      MHD_create_response_from_fd_at_offset64(q->size, MOVE(q->fd, -1), 0));
	q->connection = c;
	q->maps = plane_maps(a->plane);
	copy_seen(q, a);
	q->options = a->metrics;
	q->options.agent = &q->seen;
	q->options.format = metrics_negotiate(accept);
	q->work.data = q;
	if (uv_queue_work(&a->loop, &q->work, write_page, page_written) < 0)
		return reply_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "no memory");
	a->jobs++;
	MHD_suspend_connection(c);
	return MHD_YES;
}

static enum MHD_Result answer_status(struct request *q, struct MHD_Connection *c)
{
	char *json = status_json(q->door->agent);

	if (!json)
		return reply_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "no memory");
	return reply_response(c, MHD_HTTP_OK, "application/json", NULL,
			      MHD_create_response_from_buffer(strlen(json), json, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result reply_json_with(struct MHD_Connection *c, unsigned code, const char *allow, json_t *j)
{
	char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(14)) : NULL;

	json_decref(j);
	if (!text)
		return reply_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "no memory");
	return reply_response(c, code, "application/json", allow,
			      MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result reply_json(struct MHD_Connection *c, json_t *j)
{
	return reply_json_with(c, MHD_HTTP_OK, NULL, j);
}

/* What health checks found; ?service=NAME for one service. */
static enum MHD_Result answer_checks(struct request *q, struct MHD_Connection *c)
{
	const char *service = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "service");

	return reply_json(c, health_json(q->door->agent->health, service));
}

static enum MHD_Result answer_registries(struct request *q, struct MHD_Connection *c)
{
	return reply_json(c, registries_json(q->door->agent));
}

/* ?since=N: those after the event of that id. */
static enum MHD_Result answer_events(struct request *q, struct MHD_Connection *c)
{
	const char *since = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "since");
	unsigned long long after = 0;
	char *end;

	if (since) {
		errno = 0;
		after = strtoull(since, &end, 10);
		if (errno || *end || *since < '0' || *since > '9')
			return reply_text(c, MHD_HTTP_BAD_REQUEST, NULL, "since is the id of an event, a number");
	}
	return reply_json(c, events_json(q->door->agent, after));
}

/* An old state is served as well as a new one; what is not healthy is that the kernel's part is gone. */
static enum MHD_Result answer_health(struct request *q, struct MHD_Connection *c)
{
	const struct agent *a = q->door->agent;
	const struct maps *m = plane_maps(a->plane);

	if (access(m->dir, F_OK) == -1)
		return reply_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, NULL,
				  "%s is gone: somebody unloaded this instance; restart the agent", m->dir);
	if (*a->last_error)
		return reply_text(c, MHD_HTTP_OK, NULL, "serving the last good state: %s", a->last_error);
	return reply_text(c, MHD_HTTP_OK, NULL, "ok");
}

static enum MHD_Result answer_ready(struct request *q, struct MHD_Connection *c)
{
	const struct agent *a = q->door->agent;

	if (!a->ready)
		return reply_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, NULL, "starting");
	return reply_text(c, MHD_HTTP_OK, NULL, "ready");
}

static enum MHD_Result answer_reload(struct request *q, struct MHD_Connection *c)
{
	struct agent *a = q->door->agent;

	if (!q->door->is_local)
		return reply_text(c, MHD_HTTP_FORBIDDEN, NULL, "reload is for the Unix socket only");
	reload(a, NULL, RELOAD_ASKED);
	if (*a->last_error)
		return reply_text(c, MHD_HTTP_UNPROCESSABLE_CONTENT, NULL, "%s; keeping what runs", a->last_error);
	return reply_text(c, MHD_HTTP_OK, NULL, "what the files say is in force");
}

static const struct {
	const char *url, *method;
	enum MHD_Result (*answer)(struct request *q, struct MHD_Connection *c);
} routes[] = {
	{ "/metrics", "GET", answer_metrics }, { "/healthz", "GET", answer_health },
	{ "/readyz", "GET", answer_ready },    { "/health", "GET", answer_checks },
	{ "/status", "GET", answer_status },   { "/reload", "POST", answer_reload },
	{ "/events", "GET", answer_events },   { "/registries", "GET", answer_registries },
};

static enum MHD_Result answer_api(struct request *q, struct MHD_Connection *c, const char *url)
{
	unsigned code = MHD_HTTP_OK;
	json_t *j = api_get(q->door->agent, url, &code);

	return reply_json_with(c, code, NULL, j);
}

static enum MHD_Result answer_none(struct MHD_Connection *c)
{
	return reply_text(c, MHD_HTTP_NOT_FOUND, NULL,
			  "there is no such page; /metrics, /status, /health, /healthz, /readyz and those of /v1 are");
}

static bool method_fits(const char *method, const char *wanted)
{
	return strcmp(method, wanted) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(wanted, "GET") == 0);
}

enum MHD_Result request_answer(void *cls, struct MHD_Connection *c, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_len, void **state)
{
	struct request *q = *state;

	/* First comes the head, then the body (which nobody reads), then the end. */
	if (!q) {
		q = calloc(1, sizeof(*q));
		if (!q)
			return MHD_NO;
		q->door = cls;
		q->fd = -1;
		*state = q;
		return MHD_YES;
	}
	if (*upload_len) {
		*upload_len = 0;
		return MHD_YES;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(url, routes[i].url) != 0)
			continue;
		if (!method_fits(method, routes[i].method))
			return reply_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, routes[i].method, "%s takes %s", url,
					  routes[i].method);
		return routes[i].answer(q, c);
	}
	if (!api_has(url))
		return answer_none(c);
	if (!method_fits(method, "GET"))
		return reply_json_with(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET", api_error("%s takes GET", url));
	return answer_api(q, c, url);
}

void request_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
	struct request *q = *state;

	if (!q)
		return;
	closep(&q->fd);
	free(q->ejections);
	free(q->health);
	free(q->registries);
	free(q->sources);
	free(q);
	*state = NULL;
}
