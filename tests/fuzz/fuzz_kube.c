/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fuzzes what a Kubernetes API server may send. The first byte says what the rest is: a list, a watch, both in pieces
 * of some size, or a kubeconfig. Objects are decoded, stored, mapped and looked up; what comes out is held against what
 * the rest of weft relies on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/kube_config.h"
#include "registry/kube_map.h"
#include "registry/kube_pods.h"
#include "registry/kube_split.h"
#include "registry/kube_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kube_store store;
static struct kube_pods pods;
static struct kube_view view;
static size_t nr_odd;

static void need(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_kube: %s\n", what);
	abort();
}

static void on_odd(void *ctx, const char *text)
{
	nr_odd++;
	for (; *text; text++)
		need((unsigned char)*text >= ' ' && *text != 127, "a message with control characters");
}

static void need_service(const struct service *s)
{
	size_t len = strlen(s->name);

	need(len > 2 && len < WEFT_NAME_LEN && strchr(s->name, '/'), "a name of that length");
	for (const char *at = s->name; *at; at++)
		need(*at > ' ' && *at <= '~' && !strchr("\"'`\\", *at), "a name of such characters");
	need(s->nr_frontends && s->nr_frontends <= WEFT_FRONTENDS_PER_SERVICE, "so many addresses");
	need(s->nr_endpoints <= WEFT_ENDPOINTS_PER_SERVICE, "so many endpoints");
	for (size_t i = 0; i < s->nr_frontends; i++)
		need(s->frontends[i].port &&
			     weft_addr_is_v4(&s->frontends[i].addr) == weft_addr_is_v4(&s->frontends[0].addr),
		     "addresses of two families, or no port");
	for (size_t i = 0; i < s->nr_endpoints; i++) {
		need(s->endpoints[i].port &&
			     weft_addr_is_v4(&s->endpoints[i].addr) == weft_addr_is_v4(&s->frontends[0].addr),
		     "endpoints of two families, or no port");
		need(!i || endpoint_compare(&s->endpoints[i - 1], &s->endpoints[i]) < 0, "endpoints that are alike");
	}
}

static void look(void *ctx, struct kube_entry *e)
{
	static const char *const ports[] = { NULL, "", "http" };
	struct kube_mapped m = { 0 };
	struct found f = { 0 };

	need(kube_map(e->service, e->slices, &view, &m) == 0, "no memory");
	for (size_t i = 0; i < m.nr; i++)
		need_service(m.at[i]);
	kube_mapped_done(&m);
	for (size_t i = 0; i < 3; i++) {
		int r = kube_find(e->service, e->slices, ports[i], &view, &f);

		need(r == 0 || (r == -ENOENT && !f.nr), "an error that is not promised");
		for (size_t k = 0; k < f.nr; k++)
			need(f.at[k].endpoint.port && !f.at[k].host, "an endpoint without address or port");
		found_done(&f);
	}
}

static int put(const json_t *o)
{
	const struct kube_mark mark = { 1, 1 };
	struct kube_service *service = NULL;
	struct kube_slice *slice = NULL;
	uint64_t digest;
	struct kube_id id;
	int r;

	r = kube_pods_put(&pods, o, mark);
	need(r >= 0 || r == -EBADMSG, "an error that is not promised");
	if (kube_id_decode(o, &id))
		return 0;
	kube_store_touch(&store, true, &id, mark, &digest);
	if (json_object_get(o, "spec") && !kube_service_decode(o, &view.odd, &service))
		need(kube_store_service(&store, service, mark) == 0, "no memory");
	else if (!kube_slice_decode(o, &view.place, &view.odd, &slice))
		need(kube_store_slice(&store, slice, mark) == 0, "no memory");
	return 0;
}

static int on_item(void *ctx, const char *text, size_t len)
{
	json_t *o = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	const json_t *object = json_object_get(o, "object");
	struct kube_id id;

	if (!o)
		return -EBADMSG;
	need(text[0] == '{', "an object that does not begin as one");
	put(object ? object : o);
	if (json_object_get(o, "deleted") && !kube_id_decode(object ? object : o, &id)) {
		kube_store_remove(&store, false, id.namespace, id.name);
		kube_store_remove(&store, true, id.namespace, id.name);
	}
	json_decref(o);
	return 0;
}

static void feed(bool list, size_t step, const char *text, size_t len)
{
	struct kube_split s;
	struct kube_entry *e;
	int r = 0;

	kube_store_init(&store);
	kube_split_init(&s, list, on_item, NULL);
	for (size_t i = 0; !r && i < len; i += step) {
		size_t n = len - i < step ? len - i : step;
		_cleanup_(freep) char *piece = malloc(n); /* exactly as long: an overrun is seen */

		memcpy(piece, text + i, n);
		r = kube_split_feed(&s, piece, n);
	}
	need(r == 0 || r == -EBADMSG || r == -E2BIG, "an error that is not promised");
	kube_split_end(&s);
	kube_split_done(&s);
	kube_store_each(&store, look, NULL);
	while ((e = kube_store_next(&store)))
		kube_store_settle(&store, e);
	kube_store_sweep(&store, true, (struct kube_mark){ 1, 2 });
	kube_store_sweep(&store, false, (struct kube_mark){ 1, 2 });
	need(!store.nr_endpoints, "endpoints of nothing");
	kube_store_done(&store);
	kube_pods_sweep(&pods, (struct kube_mark){ 1, 2 });
	need(!pods.nr, "pods of nothing");
	kube_pods_done(&pods);
}

static void read_config(const char *text, size_t len)
{
	struct kube_config c;
	char error[128] = "";
	int r = kube_config_parse(text, len, NULL, &c, error, sizeof(error));

	need(r == 0 || (r == -EINVAL && *error), "an error that is not promised");
	need(r || c.server, "a kubeconfig without a server");
	kube_config_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 7, 64, 100000 };

	if (!size)
		return 0;
	view = (struct kube_view){ .place = { "n1", "za" }, .addresses = 7, .odd = { on_odd, NULL } };
	if (*data & 8)
		read_config((const char *)data + 1, size - 1);
	else
		feed(*data & 4, steps[*data & 3], (const char *)data + 1, size - 1);
	return 0;
}
