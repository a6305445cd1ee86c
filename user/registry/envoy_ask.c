/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * REST xDS: a question every `refresh`, with the version that we have, is answered with 304 or with another version.
 * What goes wrong, another server and now and then the time are followed by a question without a version, so that what
 * is believed does not rest on versions that two servers, or one that began anew, count alike.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/envoy.h"

#define FIRST_MS       500
#define CONNECT_MS     3000
#define WHOLE_MS       60000
#define WAKE_WITHIN_MS 1000
#define ANSWER_MOST    (256u * 1024 * 1024)
#define REASON_MOST    120

static void on_done(void *ctx, const struct http_response *res);

/* ---- whose turn it is ---- */

static void pump(struct envoy *e);

static void on_timer(uv_timer_t *timer)
{
	struct envoy_question *q = timer->data;
	struct envoy *e = q->e;

	if (q->ready || q->call)
		return;
	q->ready = true;
	q->next_ready = NULL;
	*e->ready_end = q;
	e->ready_end = &q->next_ready;
	pump(e);
}

static void ask_in(struct envoy_question *q, uint32_t ms)
{
	uv_timer_start(&q->timer, on_timer, ms, 0);
}

static void unready(struct envoy_question *q)
{
	struct envoy *e = q->e;
	struct envoy_question **at = &e->ready;

	if (!q->ready)
		return;
	while (*at != q)
		at = &(*at)->next_ready;
	*at = q->next_ready;
	if (e->ready_end == &q->next_ready)
		e->ready_end = at;
	q->ready = false;
}

/* Questions for one name each do not take more than half of what may be asked. */
static uint32_t pause_of(const struct envoy_question *q)
{
	const struct envoy *e = q->e;
	uint64_t ms = e->refresh_ms, least;

	least = q->nr == 1 && !q->clusters ? (uint64_t)((double)e->nr_alone * 2000 / e->reads) : 0;
	ms = ms < least ? least : ms;
	return jitter(ms > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)ms);
}

/* ---- asking ---- */

static void forget_version(struct envoy_question *q)
{
	free(MOVE(q->version, NULL));
	free(MOVE(q->nonce, NULL));
}

static char *body_of(const struct envoy_question *q)
{
	_cleanup_(freep) const char **names = calloc(q->nr + 1, sizeof(*names));
	const struct envoy_ask a = { .message = q->clusters ? "Cluster" : "ClusterLoadAssignment",
				     .version = q->version ? q->version : "",
				     .nonce = q->nonce ? q->nonce : "",
				     .node = q->e->node,
				     .cluster = q->e->cluster,
				     .error = q->error,
				     .names = names,
				     .nr_names = q->nr };

	if (!names)
		return NULL;
	for (size_t i = 0; i < q->nr; i++)
		names[i] = q->names[i]->key;
	return envoy_question(&a);
}

/* 0, or negative errno with a sentence in @why. */
static int token_header(const struct envoy *e, char **ret, char *why, size_t why_len)
{
	const char *token = options_text(e->r.options, "token", NULL);
	const char *file = options_text(e->r.options, "token-file", NULL);
	_cleanup_(freep) char *read = NULL;
	int r = 0;

	if (file) { /* anew each time: tokens are exchanged */
		read = secret_read(file);
		r = read ? 0 : -errno;
		if (r)
			snprintf(why, why_len, "cannot read the token in %s: %s", file, log_strerror(r));
		token = read;
	}
	if (r || !token || !*token)
		return r;
	if (strpbrk(token, "\r\n")) {
		snprintf(why, why_len, "the token has more than one line");
		r = -EINVAL;
	} else if (asprintf(ret, "Authorization: Bearer %s", token) < 0) {
		*ret = NULL;
		r = -ENOMEM;
	}
	if (read)
		explicit_bzero(read, strlen(read));
	return r;
}

static int post(struct envoy_question *q, char *why, size_t why_len)
{
	struct envoy *e = q->e;
	_cleanup_(freep) char *body = body_of(q), *url = NULL, *token = NULL;
	const char *headers[] = { "Content-Type: application/json", "Accept: application/json", NULL, NULL };
	struct http_request http = { .method = "POST",
				     .headers = headers,
				     .body = body,
				     .body_len = body ? strlen(body) : 0,
				     .tls = &e->tls,
				     .gzip = true,
				     .connect_ms = CONNECT_MS < e->timeout_ms ? CONNECT_MS : e->timeout_ms,
				     .total_ms = e->timeout_ms,
				     .most = ANSWER_MOST,
				     .on_done = on_done,
				     .ctx = q };
	int r;

	snprintf(why, why_len, "no memory");
	r = body ? token_header(e, &token, why, why_len) : -ENOMEM;
	if (r)
		return r;
	headers[2] = token;
	if (asprintf(&url, "%s/v3/discovery:%s", e->servers.at[q->server], q->clusters ? "clusters" : "endpoints") <
	    0) {
		url = NULL;
		return -ENOMEM;
	}
	http.url = url;
	r = http_start(e->r.http, &http, &q->call);
	if (r)
		snprintf(why, why_len, "%s cannot be asked: %s", e->servers.at[q->server], log_strerror(r));
	if (token)
		explicit_bzero(token, strlen(token));
	return r;
}

static void set_failing(struct envoy_question *q, bool failing)
{
	q->e->nr_failing += (size_t)failing - (size_t)q->failing;
	q->failing = failing;
}

static void fail(struct envoy_question *q, const char *why)
{
	set_failing(q, true);
	free(MOVE(q->error, NULL));
	forget_version(q);
	registry_failed(&q->e->r, "%s", why);
	if (q->e->current == q->server)
		q->e->current = (q->server + 1) % q->e->servers.nr;
	ask_in(q, backoff_next(&q->backoff));
}

static void ask(struct envoy_question *q)
{
	struct envoy *e = q->e;
	uint64_t now = uv_now(e->r.loop);
	char why[256];

	if (q->stale || q->server != e->current || now - q->whole_ms >= WHOLE_MS + e->refresh_ms * 12ull)
		forget_version(q);
	q->stale = false;
	q->whole = !q->version;
	if (q->whole)
		q->whole_ms = now;
	q->server = e->current;
	for (size_t i = 0; i < q->nr; i++)
		q->names[i]->asked = true;
	if (post(q, why, sizeof(why)))
		fail(q, why);
}

static void on_token(uv_timer_t *timer)
{
	pump(timer->data);
}

static void pump(struct envoy *e)
{
	while (e->ready) {
		struct envoy_question *q = e->ready;
		uint32_t ms = pace_take(&e->pace, uv_now(e->r.loop));

		if (ms) {
			uv_timer_start(&e->timer, on_token, ms, 0);
			return;
		}
		unready(q);
		ask(q);
	}
}

/* ---- answers ---- */

static void say_why(const struct envoy_question *q, const struct http_response *res, char *ret, size_t len)
{
	const struct envoy *e = q->e;
	const char *name = e->servers.nr > 1 ? "no server answers; the last one" : e->servers.at[q->server];
	char reason[REASON_MOST + 1];
	size_t n = 0;

	while (n < REASON_MOST && res->body[n] >= ' ' && res->body[n] != 127) {
		reason[n] = res->body[n];
		n++;
	}
	reason[n] = '\0';
	if (res->error)
		snprintf(ret, len, "%s: %s", name, *res->text ? res->text : log_strerror(res->error));
	else
		snprintf(ret, len, "%s: status %ld%s%s", name, res->status, n ? ": " : "", reason);
}

/* The first answer after an outage: those that wait to try again need not any longer, but not all at once. */
static void wake(struct envoy *e)
{
	for (struct envoy_question *q = e->questions; q; q = q->next)
		if (q->failing && !q->call && !q->ready && uv_is_active((uv_handle_t *)&q->timer) &&
		    uv_timer_get_due_in(&q->timer) > WAKE_WITHIN_MS)
			ask_in(q, jitter(WAKE_WITHIN_MS / 2));
}

static void succeed(struct envoy_question *q)
{
	bool was_failing = q->failing;

	set_failing(q, false);
	backoff_reset(&q->backoff);
	if (was_failing)
		wake(q->e);
	/* While others fail that is what is to be said. */
	if (!q->e->nr_failing)
		registry_heard(&q->e->r);
	if (!q->closing)
		ask_in(q, q->stale ? 0 : pause_of(q));
}

/* NACK: the version that we have, the new answer's nonce, and what is wrong with it. With other servers, one of them.
 */
static void refuse(struct envoy_question *q, const char *nonce, const char *why)
{
	struct envoy *e = q->e;
	char sentence[256];

	snprintf(sentence, sizeof(sentence), "%s: its answer makes no sense: %s", e->servers.at[q->server], why);
	if (e->servers.nr > 1) {
		fail(q, sentence);
		return;
	}
	set_failing(q, true);
	free(q->error);
	free(q->nonce);
	q->error = strdup(why);
	q->nonce = strdup(nonce);
	registry_failed(&e->r, "%s", sentence);
	ask_in(q, backoff_next(&q->backoff));
}

static void accept_version(struct envoy_question *q, const struct envoy_answer *a)
{
	free(MOVE(q->error, NULL));
	forget_version(q);
	q->version = *a->version ? strdup(a->version) : NULL;
	q->nonce = *a->nonce ? strdup(a->nonce) : NULL;
}

static void take(struct envoy_question *q, const struct http_response *res)
{
	json_error_t error;
	json_t *root = json_loadb(res->body, res->body_len, JSON_DECODE_INT_AS_REAL, &error);
	struct envoy_answer a = { .nonce = "" };
	char why[192] = "this is no JSON";
	int r = root ? 0 : -EBADMSG;

	if (!r)
		r = envoy_answer(root, q->clusters ? "Cluster" : "ClusterLoadAssignment", &a, why, sizeof(why));
	if (!r && q->clusters)
		r = envoy_entries_take(q->e, a.resources, why, sizeof(why));
	else if (!r)
		r = envoy_names_take(q, &a, why, sizeof(why));
	if (q->closing) { /* it was divided, or a probe */
	} else if (r) {
		refuse(q, a.nonce, why);
	} else {
		accept_version(q, &a);
		succeed(q);
	}
	json_decref(root);
}

static void on_done(void *ctx, const struct http_response *res)
{
	struct envoy_question *q = ctx;
	char why[256];

	q->call = NULL;
	if (!res->error && res->status == 200) {
		take(q, res);
	} else if (!res->error && res->status == 304) {
		/* To a refused answer: what we have is in force again, and who was told otherwise has to hear it. */
		if (q->error)
			q->stale = true;
		free(MOVE(q->error, NULL));
		succeed(q);
	} else if (!res->error && res->status == 400 && envoy_names_refused(q)) {
		if (!q->closing)
			ask_in(q, backoff_next(&q->backoff));
	} else {
		say_why(q, res, why, sizeof(why));
		fail(q, why);
	}
}

/* ---- questions ---- */

struct envoy_question *envoy_question_new(struct envoy *e)
{
	struct envoy_question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->e = e;
	q->server = e->current;
	q->backoff = (struct backoff){ .first_ms = FIRST_MS, .most_ms = e->backoff_ms };
	uv_timer_init(e->r.loop, &q->timer);
	q->timer.data = q;
	e->handles++;
	q->next = e->questions;
	e->questions = q;
	return q;
}

static void on_closed(uv_handle_t *handle)
{
	struct envoy_question *q = handle->data;
	struct envoy *e = q->e;

	forget_version(q);
	free(q->error);
	free(q->names);
	free(q);
	envoy_handle_closed(e);
}

void envoy_question_close(struct envoy_question *q)
{
	struct envoy_question **at = &q->e->questions;

	http_cancel(MOVE(q->call, NULL));
	unready(q);
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	if (q->e->probe == q)
		q->e->probe = NULL;
	set_failing(q, false);
	q->closing = true;
	uv_close((uv_handle_t *)&q->timer, on_closed);
}

int envoy_question_add(struct envoy_question *q, struct envoy_name *n)
{
	if (q->nr == q->capacity) {
		size_t want = q->capacity ? q->capacity * 2 : 1;
		struct envoy_name **more = reallocarray(q->names, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		q->names = more;
		q->capacity = want;
	}
	q->names[q->nr++] = n;
	if (!q->probe) {
		n->question = q;
		n->asked = false;
	}
	envoy_ask_whole(q);
	return 0;
}

void envoy_question_remove(struct envoy_question *q, struct envoy_name *n)
{
	for (size_t i = 0; i < q->nr; i++)
		if (q->names[i] == n) {
			q->names[i] = q->names[--q->nr];
			break;
		}
	if (q->confirm == n)
		q->confirm = NULL;
	if (!q->nr)
		envoy_question_close(q);
}

void envoy_ask_whole(struct envoy_question *q)
{
	q->stale = true;
	/* While a call runs, its end sees to it. */
	if (!q->call && !q->ready && !q->failing)
		ask_in(q, 0);
}
