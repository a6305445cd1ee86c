/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Kubernetes: Services and EndpointSlices are listed and watched; each port of a Service becomes a service of its own
 * (`services:`), and lookups are answered from the same cache. NodePorts, Pods and Nodes are not read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/kubernetes.h"
#include "registry/providers.h"

#define TIMEOUT_MS   30000
#define BACKOFF_MOST 30000
#define PAGE	     500
#define READS	     10

static void on_flush(uv_timer_t *timer)
{
	struct kubernetes *k = timer->data;

	for (size_t i = 0; i < k->nr_streams; i++)
		if (k->streams[i].kind != KUBE_PODS && (!k->streams[i].complete || kube_stream_busy(&k->streams[i])))
			return;
	kube_publish(k);
}

/* Together with whatever else this turn of the loop brings. */
void kubernetes_changed(struct kubernetes *k)
{
	if (!k->closing && !uv_is_active((uv_handle_t *)&k->flush))
		uv_timer_start(&k->flush, on_flush, 0, 0);
}

int kubernetes_access(struct kubernetes *k)
{
	struct kube_access *a = NULL;
	char why[400];
	int r = kube_access_load(k->r.options, k->access, &a, why, sizeof(why));

	if (r) {
		registry_failed(&k->r, "%s", why);
		return r;
	}
	kube_access_unref(k->access);
	k->access = a;
	kube_lookups_attach(k);
	return 0;
}

static void on_odd(void *ctx, const char *text)
{
	registry_odd(ctx, "%s", text);
}

/* `addresses:`; false: a word that is none. */
static bool read_addresses(struct kubernetes *k)
{
	static const char *const words[] = { "cluster", "external", "load-balancer" };
	char *const *list = options_list(k->r.options, "addresses");

	k->view.addresses = *list ? 0 : KUBE_CLUSTER_IP | KUBE_EXTERNAL_IP | KUBE_LOAD_BALANCER;
	for (; *list; list++) {
		unsigned i = 0;

		while (i < 3 && strcmp(words[i], *list))
			i++;
		if (i == 3) {
			registry_failed(&k->r, "addresses: \"%s\" is none of cluster, external, load-balancer", *list);
			return false;
		}
		k->view.addresses |= (uint8_t)(1u << i);
	}
	return true;
}

static bool read_options(struct kubernetes *k)
{
	const struct options *o = k->r.options;
	const char *services = options_text(o, "services", "all"), *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *node = getenv("NODE_NAME"), *zone = getenv("NODE_ZONE");

	if (!options_text(o, "server", NULL) && !options_text(o, "kubeconfig", NULL) && !host) {
		registry_failed(&k->r, "neither \"server\" nor \"kubeconfig\" is written, and this is no pod: "
				       "KUBERNETES_SERVICE_HOST is not set");
		return false;
	}
	k->timeout_ms = options_ms(o, "timeout", TIMEOUT_MS);
	if (k->timeout_ms > 3600000)
		k->timeout_ms = 3600000; /* times ten fits */
	k->backoff_ms = options_ms(o, "backoff-max", BACKOFF_MOST);
	k->page = options_number(o, "page", PAGE);
	k->believe_empty = !strcmp(options_text(o, "empty", "keep"), "clear");
	k->view.serve = !strcmp(services, "none")	 ? KUBE_SERVE_NONE
			: !strcmp(services, "annotated") ? KUBE_SERVE_ANNOTATED
							 : KUBE_SERVE_ALL;
	k->view.place.node = options_text(o, "node", node && *node ? node : NULL);
	k->view.place.zone = k->r.zone ? k->r.zone : zone && *zone ? zone : NULL;
	k->view.odd = (struct kube_odd){ on_odd, &k->r };
	return read_addresses(k);
}

/* Two for each namespace, and one for the pods of this node if we know which one it is. */
static int make_streams(struct kubernetes *k)
{
	char *const *namespaces = options_list(k->r.options, "namespaces");
	size_t nr = 0;

	while (namespaces[nr])
		nr++;
	k->nr_streams = (nr ? nr * 2 : 2) + (k->view.place.node != NULL);
	k->streams = calloc(k->nr_streams, sizeof(*k->streams));
	if (!k->streams)
		return -ENOMEM;
	for (size_t i = 0; i < k->nr_streams; i++) {
		struct kube_stream *s = &k->streams[i];

		s->k = k;
		s->id = (uint32_t)i;
		s->kind = i % 2 ? KUBE_SLICES : KUBE_SERVICES;
		if (k->view.place.node && i == k->nr_streams - 1)
			s->kind = KUBE_PODS;
		else if (namespaces[0])
			s->namespace = namespaces[i / 2];
	}
	return 0;
}

void kubernetes_begin(struct kubernetes *k)
{
	for (size_t i = 0; i < k->nr_streams; i++)
		kube_stream_start(&k->streams[i]);
	k->begun = true;
}

static int kubernetes_open(struct registry *r)
{
	struct kubernetes *k = (struct kubernetes *)r;
	double reads = options_number(r->options, "reads-per-second", READS);

	if (!read_options(k))
		return -EINVAL;
	kube_store_init(&k->store);
	pace_init(&k->pace, reads, reads, uv_now(r->loop));
	if (make_streams(k))
		return -ENOMEM;
	uv_timer_init(r->loop, &k->flush);
	k->flush.data = k;
	k->handles++;
	return kube_where_start(k);
}

void kubernetes_handle_closed(struct kubernetes *k)
{
	if (--k->handles)
		return;
	kube_store_done(&k->store);
	kube_pods_done(&k->pods);
	kube_access_unref(k->access);
	free(k->streams);
	registry_closed(&k->r);
}

static void on_flush_closed(uv_handle_t *handle)
{
	kubernetes_handle_closed(handle->data);
}

static void kubernetes_close(struct registry *r)
{
	struct kubernetes *k = (struct kubernetes *)r;

	k->closing = true;
	registry_workloads_changed(r);
	kube_where_stop(k);
	for (size_t i = 0; k->begun && i < k->nr_streams; i++)
		kube_stream_stop(&k->streams[i]);
	uv_close((uv_handle_t *)&k->flush, on_flush_closed);
}

static int each_workload(const struct registry *r, int (*fn)(void *ctx, const struct workload *w), void *ctx)
{
	const struct kubernetes *k = (const struct kubernetes *)r;

	return k->closing ? 0 : kube_pods_each(&k->pods, fn, ctx);
}

static bool yields_services(const struct registry *r)
{
	return strcmp(options_text(r->options, "services", "all"), "none");
}

const struct provider provider_kubernetes = {
	.type = "kubernetes",
	.registry_size = sizeof(struct kubernetes),
	.lookup_size = sizeof(struct kube_lookup),
	.yields_services = yields_services,
	.empty_is_true = true, /* said by an event; a list without anything is held back in kube_stream.c */
	.each_workload = each_workload,
	.open = kubernetes_open,
	.close = kubernetes_close,
	.start = kube_lookup_start,
	.stop = kube_lookup_stop,
};
