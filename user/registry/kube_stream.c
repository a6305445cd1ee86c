/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/kube_events.h"
#include "registry/kubernetes.h"

#define WATCH_SECONDS 300 /* more or less a tenth, so that not all nodes come back at once */
#define QUIET_TIMES   4	  /* a server sends a bookmark about once a minute */
#define LIST_TIMES    10
#define SHORT_MS      1000 /* a watch that ended sooner without a word did not work */
#define BACKOFF_MS    500
#define REFUSED_MS    600000
#define CONNECT_MS    5000

static void go(struct kube_stream *s);

static const struct {
	const char *name, *group, *resource;
} kinds[] = {
	[KUBE_SERVICES] = { "services", "/api/v1", "services" },
	[KUBE_SLICES] = { "endpoint slices", "/apis/discovery.k8s.io/v1", "endpointslices" },
	[KUBE_PODS] = { "pods", "/api/v1", "pods" },
};

const char *kube_kind_name(enum kube_kind kind)
{
	return kinds[kind].name;
}

static const char *kind(const struct kube_stream *s)
{
	return kinds[s->kind].name;
}

bool kube_stream_busy(const struct kube_stream *s)
{
	return s->step == KUBE_LIST && (s->call || s->more);
}

static void fail(struct kube_stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Streams fail in turns, each for its own reason: what was said once is only counted. */
static void fail(struct kube_stream *s, const char *fmt, ...)
{
	char text[sizeof(s->said)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->k->r.failing && s->failing && !strcmp(s->said, text)) {
		s->k->r.seen.failures++;
		return;
	}
	if (s->kind == KUBE_PODS) { /* callers have no names meanwhile, and that is all */
		if (!s->failing || strcmp(s->said, text))
			log_msg(LOG_L_INFO, "registry %s: %s", s->k->r.name, text);
		memcpy(s->said, text, sizeof(text));
		return;
	}
	memcpy(s->said, text, sizeof(text));
	registry_failed(&s->k->r, "%s", text);
}

static void on_timer(uv_timer_t *timer)
{
	go(timer->data);
}

static void wait_ms(struct kube_stream *s, uint32_t ms)
{
	uv_timer_start(&s->timer, on_timer, ms, 0);
}

static void retry(struct kube_stream *s)
{
	s->failing = true;
	if (s->step == KUBE_LIST) { /* from its beginning */
		free(MOVE(s->more, NULL));
		kubernetes_changed(s->k);
	}
	wait_ms(s, backoff_next(&s->backoff));
}

static void heard(struct kube_stream *s)
{
	s->failing = false;
	if (s->kind == KUBE_PODS)
		return;
	for (size_t i = 0; i < s->k->nr_streams; i++)
		if (s->k->streams[i].failing && s->k->streams[i].kind != KUBE_PODS)
			return;
	registry_heard(&s->k->r);
}

/* ---- answers ---- */

static void end_call(struct kube_stream *s)
{
	s->call = NULL;
	kube_split_done(&s->split);
	kube_access_unref(MOVE(s->access, NULL));
}

static void next(struct kube_stream *s, enum kube_step step)
{
	s->step = step;
	go(s);
}

static void list_again(struct kube_stream *s)
{
	s->step = KUBE_LIST;
	free(MOVE(s->more, NULL));
}

/* A list has been read to its end. */
static void end_list(struct kube_stream *s)
{
	struct kubernetes *k = s->k;
	size_t had = s->listed || s->kind == KUBE_PODS ? 0 : kube_store_count(&k->store, s->kind == KUBE_SLICES, s->id);

	if (had && s->complete && !k->believe_empty) {
		fail(s, "lists no %s any more, where %zu were; \"empty: clear\" would believe it", kind(s), had);
		retry(s);
		return;
	}
	kube_swept(s);
	s->complete = true;
	s->newest = false;
	s->any_version = false;
	backoff_reset(&s->backoff);
	heard(s);
	next(s, KUBE_WATCH);
	kubernetes_changed(k);
}

/* A page has come. */
static void end_page(struct kube_stream *s)
{
	char why[256] = "it ended too soon", version[KUBE_VERSION_LEN];
	int r = kube_split_end(&s->split);

	if (!r)
		r = kube_list_decode(s->split.rest.at, s->split.rest.len, version, &s->more, why, sizeof(why));
	end_call(s);
	if (r) {
		fail(s, "the list of %s makes no sense: %s", kind(s), why);
		retry(s);
		return;
	}
	memcpy(s->version, version, sizeof(version));
	if (s->more)
		go(s);
	else
		end_list(s);
}

static void end_watch(struct kube_stream *s)
{
	bool worked = s->events || uv_now(s->k->r.loop) - s->began_ms >= SHORT_MS;

	end_call(s);
	if (s->refused) {
		list_again(s);
		s->newest = true;
		retry(s);
		s->failing = false; /* this is how watches end */
		return;
	}
	if (!worked) {
		fail(s, "the watch of %s ended at once", kind(s));
		retry(s);
		return;
	}
	backoff_reset(&s->backoff);
	heard(s);
	next(s, KUBE_WATCH);
}

/* Another status than 200: what next? */
static void on_refused(struct kube_stream *s, const struct http_response *res)
{
	bool gone = res->status == 410 || res->status == 504 || res->status == 400 || res->status == 404;
	char why[256];

	kube_status_decode(res->body, res->body_len, why, sizeof(why));
	end_call(s);
	if (gone && s->step == KUBE_WATCH)
		list_again(s);
	if (gone)
		s->newest = true;
	if (res->status == 410 && !s->failing) {
		retry(s);
		s->failing = false;
		return;
	}
	fail(s, "%s: refused with status %ld%s%s", kind(s), res->status, *why ? ": " : "", why);
	retry(s);
	if (s->kind == KUBE_PODS && res->status == 403) /* not granted: nobody needs them badly */
		wait_ms(s, REFUSED_MS);
}

static const char *const steps[] = { [KUBE_LIST] = "list", [KUBE_WATCH] = "watch", [KUBE_PROBE] = "probe" };

/* No answer, or only a part of one. */
static void on_broken(struct kube_stream *s, const struct http_response *res)
{
	if (res->error == -ECONNREFUSED)
		fail(s, "%s of %s: cannot connect to %s", steps[s->step], kind(s), s->access->server);
	else
		fail(s, "%s of %s: %s", steps[s->step], kind(s),
		     res->error == -EBADMSG ? "this is not JSON as Kubernetes sends it" : res->text);
	end_call(s);
	if (res->error == -EBADMSG || res->error == -E2BIG)
		list_again(s);
	retry(s);
}

static void on_done(void *ctx, const struct http_response *res)
{
	struct kube_stream *s = ctx;

	if (res->error == -ETIMEDOUT && s->step == KUBE_WATCH && res->status == 200) {
		end_call(s);
		next(s, KUBE_PROBE);
	} else if (res->error) {
		on_broken(s, res);
	} else if (res->status != 200) {
		on_refused(s, res);
	} else if (s->step == KUBE_LIST) {
		end_page(s);
	} else if (s->step == KUBE_WATCH) {
		end_watch(s);
	} else {
		end_call(s);
		heard(s);
		next(s, KUBE_WATCH);
	}
}

static int on_data(void *ctx, const char *data, size_t len)
{
	struct kube_stream *s = ctx;
	int r = 0;

	if (s->step != KUBE_PROBE)
		r = kube_split_feed(&s->split, data, len);
	if (!r && s->step == KUBE_WATCH)
		heard(s);
	kubernetes_changed(s->k);
	return r;
}

/* ---- requests ---- */

/* From which state a list is to be: at least the one we know, so that time never runs backwards; unless that one is
 * refused. The first one may be of any age, which a server answers from memory: a thousand nodes may start at once. */
static int list_query(const struct kube_stream *s, char **ret)
{
	const char *version = s->newest ? "" : s->any_version ? "0" : s->version;

	if (s->more)
		return asprintf(ret, "limit=%u&continue=%s", s->k->page, s->more);
	if (!*version)
		return asprintf(ret, "limit=%u", s->k->page);
	return asprintf(ret, "limit=%u&resourceVersion=%s&resourceVersionMatch=NotOlderThan", s->k->page, version);
}

static int query(const struct kube_stream *s, char **ret)
{
	switch (s->step) {
	case KUBE_LIST:
		return list_query(s, ret);
	case KUBE_WATCH:
		return asprintf(ret, "watch=true&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=%s",
				jitter(WATCH_SECONDS), s->version);
	default:
		return asprintf(ret, "limit=1&resourceVersion=0");
	}
}

/* NULL: no memory. */
static char *make_url(const struct kube_stream *s, const struct kube_access *a)
{
	const char *selector = s->kind == KUBE_SERVICES ? options_text(s->k->r.options, "selector", NULL) : NULL;
	_cleanup_(freep) char *asked = NULL, *escaped = selector ? http_escape(selector) : NULL;
	_cleanup_(freep) char *node = s->kind == KUBE_PODS ? http_escape(s->k->view.place.node) : NULL;
	char *url;

	if (query(s, &asked) == -1) {
		asked = NULL;
		return NULL;
	}
	if (asprintf(&url, "%s%s%s%s/%s?%s%s%s%s%s", a->server, kinds[s->kind].group,
		     s->namespace ? "/namespaces/" : "", s->namespace ? s->namespace : "", kinds[s->kind].resource,
		     asked, escaped ? "&labelSelector=" : "", escaped ? escaped : "",
		     node ? "&fieldSelector=spec.nodeName%3D" : "", node ? node : "") == -1)
		return NULL;
	return url;
}

static int start_call(struct kube_stream *s, const char *url, const char *authorization)
{
	const char *const headers[] = { "Accept: application/json", authorization, NULL };
	uint32_t timeout = s->k->timeout_ms;
	const struct http_request q = {
		.url = url,
		.headers = headers,
		.tls = &s->access->tls,
		.gzip = s->step == KUBE_LIST,
		.connect_ms = timeout < CONNECT_MS ? timeout : CONNECT_MS,
		.total_ms = s->step == KUBE_LIST    ? timeout * LIST_TIMES
			    : s->step == KUBE_PROBE ? timeout
						    : 0,
		.quiet_ms = s->step == KUBE_WATCH ? timeout * QUIET_TIMES : timeout,
		.on_data = on_data,
		.on_done = on_done,
		.ctx = s,
	};

	kube_split_init(&s->split, s->step == KUBE_LIST, s->step == KUBE_LIST ? kube_on_listed : kube_on_event, s);
	s->began_ms = uv_now(s->k->r.loop);
	s->events = 0;
	s->refused = 0;
	return http_start(s->k->r.http, &q, &s->call);
}

static void begin(struct kube_stream *s)
{
	_cleanup_(freep) char *authorization = NULL, *url = NULL;
	char why[256];
	int r = kubernetes_access(s->k);

	if (r) {
		retry(s);
		return;
	}
	r = kube_access_header(s->k->access, &authorization, why, sizeof(why));
	if (r) {
		fail(s, "%s", why);
		retry(s);
		return;
	}
	url = make_url(s, s->k->access);
	if (s->step == KUBE_LIST && !s->more) {
		s->generation++;
		s->listed = 0;
	}
	free(MOVE(s->more, NULL));
	s->access = s->k->access;
	s->access->refs++;
	r = url ? start_call(s, url, authorization) : -ENOMEM;
	if (r) {
		end_call(s);
		fail(s, "cannot ask for %s: %s", kind(s), r == -EINVAL ? "bad URL" : "no memory");
		retry(s);
	}
}

/* Pages after the first are not counted: the server is done with one before it is asked for the next. */
static void go(struct kube_stream *s)
{
	uint32_t wait = s->more ? 0 : pace_take(&s->k->pace, uv_now(s->k->r.loop));

	if (wait)
		wait_ms(s, wait);
	else
		begin(s);
}

void kube_stream_start(struct kube_stream *s)
{
	uv_timer_init(s->k->r.loop, &s->timer);
	s->timer.data = s;
	s->k->handles++;
	s->any_version = true;
	s->backoff = (struct backoff){ .first_ms = BACKOFF_MS, .most_ms = s->k->backoff_ms };
	wait_ms(s, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct kube_stream *s = handle->data;

	kubernetes_handle_closed(s->k);
}

void kube_stream_stop(struct kube_stream *s)
{
	http_cancel(s->call);
	end_call(s);
	free(MOVE(s->more, NULL));
	uv_close((uv_handle_t *)&s->timer, on_closed);
}
