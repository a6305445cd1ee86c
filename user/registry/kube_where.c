/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where this node is: the zone in the labels of its Node. Hints are held against it when slices are read, so that it is
 * asked for first; a cluster that does not let us read Nodes is used without.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/kube_events.h"
#include "registry/kubernetes.h"

#define FIRST_MS   500
#define CONNECT_MS 5000

struct kube_where {
	struct kubernetes *k;
	uv_timer_t timer; /* until the next try */
	struct http_call *call;
	struct kube_access *access; /* of the call */
	struct backoff backoff;
	char zone[KUBE_WORD_MOST + 1];
};

static void ask(struct kube_where *w);

static void on_timer(uv_timer_t *timer)
{
	ask(timer->data);
}

static void again(struct kube_where *w)
{
	uv_timer_start(&w->timer, on_timer, backoff_next(&w->backoff), 0);
}

/* The label that there is since 1.17, or the one before it. */
static void read_zone(const struct http_response *res, char *ret, size_t len)
{
	json_t *j = json_loadb(res->body, res->body_len, 0, NULL);
	const json_t *labels = json_object_get(json_object_get(j, "metadata"), "labels");
	const char *zone = json_string_value(json_object_get(labels, "topology.kubernetes.io/zone"));

	if (!zone)
		zone = json_string_value(json_object_get(labels, "failure-domain.beta.kubernetes.io/zone"));
	snprintf(ret, len, "%s", zone && strlen(zone) < len ? zone : "");
	json_decref(j);
}

static void on_answer(void *ctx, const struct http_response *res)
{
	struct kube_where *w = ctx;
	struct kubernetes *k = w->k;
	char why[256];

	w->call = NULL;
	if (res->error || res->status >= 500 || res->status == 401 || res->status == 429) {
		if (res->error)
			registry_failed(&k->r, "node %s: %s", k->view.place.node, res->text);
		else
			registry_failed(&k->r, "node %s: status %ld", k->view.place.node, res->status);
		kube_access_unref(MOVE(w->access, NULL));
		again(w);
		return;
	}
	kube_access_unref(MOVE(w->access, NULL));
	if (res->status == 200) {
		read_zone(res, w->zone, sizeof(w->zone));
	} else {
		kube_status_decode(res->body, res->body_len, why, sizeof(why));
		log_msg(LOG_L_INFO, "registry %s: the zone of node %s is not known (status %ld%s%s)", k->r.name,
			k->view.place.node, res->status, *why ? ": " : "", why);
	}
	if (*w->zone) {
		k->view.place.zone = w->zone;
		registry_zone(&k->r, w->zone);
	}
	registry_heard(&k->r);
	kubernetes_begin(k);
}

static int start_call(struct kube_where *w, const char *authorization)
{
	struct kubernetes *k = w->k;
	const char *const headers[] = { "Accept: application/json", authorization, NULL };
	_cleanup_(freep) char *name = http_escape(k->view.place.node), *url = NULL;
	struct http_request q = { .headers = headers,
				  .tls = &w->access->tls,
				  .connect_ms = k->timeout_ms < CONNECT_MS ? k->timeout_ms : CONNECT_MS,
				  .total_ms = k->timeout_ms,
				  .on_done = on_answer,
				  .ctx = w };

	if (!name || asprintf(&url, "%s/api/v1/nodes/%s", w->access->server, name) == -1) {
		url = NULL;
		return -ENOMEM;
	}
	q.url = url;
	return http_start(k->r.http, &q, &w->call);
}

static void ask(struct kube_where *w)
{
	_cleanup_(freep) char *authorization = NULL;
	struct kubernetes *k = w->k;
	char why[256] = "cannot be asked";
	int r = kubernetes_access(k);

	if (r) { /* is said */
		again(w);
		return;
	}
	r = kube_access_header(k->access, &authorization, why, sizeof(why));
	if (!r) {
		w->access = k->access;
		w->access->refs++;
		r = start_call(w, authorization);
	}
	if (!r)
		return;
	kube_access_unref(MOVE(w->access, NULL));
	registry_failed(&k->r, "node %s: %s", k->view.place.node, why);
	again(w);
}

int kube_where_start(struct kubernetes *k)
{
	struct kube_where *w;

	if (k->view.place.zone || !k->view.place.node) {
		kubernetes_begin(k);
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->k = k;
	w->backoff = (struct backoff){ .first_ms = FIRST_MS, .most_ms = k->backoff_ms };
	uv_timer_init(k->r.loop, &w->timer);
	w->timer.data = w;
	k->where = w;
	k->handles++;
	uv_timer_start(&w->timer, on_timer, 0, 0);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct kube_where *w = handle->data;
	struct kubernetes *k = w->k;

	kube_access_unref(w->access);
	free(w);
	kubernetes_handle_closed(k);
}

void kube_where_stop(struct kubernetes *k)
{
	if (!k->where)
		return;
	http_cancel(MOVE(k->where->call, NULL));
	uv_close((uv_handle_t *)&k->where->timer, on_closed);
}
