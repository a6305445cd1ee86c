/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/kube_events.h"
#include "registry/kubernetes.h"

static void json_unrefp(json_t **j)
{
	json_decref(*j);
}

/* A NUL in somebody's annotation is no reason to read nothing. */
static json_t *parse(const char *text, size_t len)
{
	return json_loadb(text, len, JSON_ALLOW_NUL, NULL);
}

/* A resourceVersion goes into queries as it is. */
static bool is_version(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len && len < KUBE_VERSION_LEN &&
	       strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") == len;
}

static int add_service(struct kubernetes *k, const json_t *object, struct kube_mark mark, uint64_t digest)
{
	struct kube_service *service = NULL;
	int r = kube_service_decode(object, &k->view.odd, &service);

	if (r)
		return r;
	service->digest = digest;
	return kube_store_service(&k->store, service, mark);
}

static int add_slice(struct kubernetes *k, const json_t *object, struct kube_mark mark, uint64_t digest)
{
	struct kube_slice *slice = NULL;
	int r = kube_slice_decode(object, &k->view.place, &k->view.odd, &slice);

	if (r)
		return r;
	slice->digest = digest;
	return kube_store_slice(&k->store, slice, mark);
}

static int put_pod(struct kube_stream *s, const json_t *object)
{
	int r = kube_pods_put(&s->k->pods, object, (struct kube_mark){ s->id, s->generation });

	if (r == -EBADMSG)
		registry_odd(&s->k->r, "a pod without a uid");
	else if (r > 0)
		registry_workloads_changed(&s->k->r);
	return r == -ENOMEM ? r : 0;
}

void kube_swept(struct kube_stream *s)
{
	const struct kube_mark mark = { s->id, s->generation };

	if (s->kind != KUBE_PODS)
		kube_store_sweep(&s->k->store, s->kind == KUBE_SLICES, mark);
	else if (kube_pods_sweep(&s->k->pods, mark))
		registry_workloads_changed(&s->k->r);
}

static void removed(struct kube_stream *s, const struct kube_id *id)
{
	if (s->kind != KUBE_PODS)
		kube_store_remove(&s->k->store, s->kind == KUBE_SLICES, id->namespace, id->name);
	else if (kube_pods_remove(&s->k->pods, id->namespace, id->name))
		registry_workloads_changed(&s->k->r);
}

/* One that makes no sense is told as odd; what was there of that name stays. @digest: 0, or of an object that need not
 * be looked at again when it is the same. */
static int put(struct kube_stream *s, const json_t *object, uint64_t digest)
{
	const struct kube_mark mark = { s->id, s->generation };
	struct kubernetes *k = s->k;
	uint64_t before;
	struct kube_id id;
	int r;

	if (kube_id_decode(object, &id)) {
		registry_odd(&k->r, "an object without a name");
		return 0;
	}
	if (s->kind == KUBE_PODS)
		return put_pod(s, object);
	kube_store_touch(&k->store, s->kind == KUBE_SLICES, &id, mark, &before);
	if (digest && before == digest)
		return 0;
	r = s->kind == KUBE_SLICES ? add_slice(k, object, mark, digest) : add_service(k, object, mark, digest);
	return r == -EBADMSG ? 0 : r;
}

int kube_on_listed(void *ctx, const char *text, size_t len)
{
	_cleanup_(json_unrefp) json_t *object = parse(text, len);
	struct kube_stream *s = ctx;

	if (!object)
		return -EBADMSG;
	s->listed++;
	return put(s, object, kube_digest(text, len));
}

static void note_version(struct kube_stream *s, const json_t *object)
{
	const char *version = kube_text(json_object_get(object, "metadata"), "resourceVersion");

	if (is_version(version))
		snprintf(s->version, sizeof(s->version), "%s", version);
}

static void on_error(struct kube_stream *s, const json_t *status)
{
	const json_t *code = json_object_get(status, "code");
	const char *message = kube_text(status, "message");

	s->refused = json_is_integer(code) && json_integer_value(code) == 410 ? 410 : 500;
	log_msg(LOG_L_DEBUG, "registry %s: the watch of %s ends: %.200s", s->k->r.name, kube_kind_name(s->kind),
		message ? message : "no reason given");
}

int kube_on_event(void *ctx, const char *text, size_t len)
{
	_cleanup_(json_unrefp) json_t *event = parse(text, len);
	const json_t *object = json_object_get(event, "object");
	const char *type = kube_text(event, "type");
	struct kube_stream *s = ctx;
	struct kube_id id;
	int r = 0;

	if (!type || !json_is_object(object))
		return -EBADMSG;
	if (!strcmp(type, "ERROR")) {
		on_error(s, object);
		return 0;
	}
	if (!strcmp(type, "ADDED") || !strcmp(type, "MODIFIED"))
		r = put(s, object, 0);
	else if (!strcmp(type, "DELETED") && !kube_id_decode(object, &id))
		removed(s, &id);
	else if (strcmp(type, "BOOKMARK"))
		registry_odd(&s->k->r, "an event that is none of those we know");
	if (!r) {
		note_version(s, object);
		s->events++;
	}
	return r;
}

int kube_list_decode(const char *text, size_t len, char version[KUBE_VERSION_LEN], char **ret_more, char *why,
		     size_t why_len)
{
	_cleanup_(json_unrefp) json_t *list = parse(text, len);
	const json_t *meta = json_object_get(list, "metadata"), *items = json_object_get(list, "items");
	const char *is = kube_text(meta, "resourceVersion"), *more = kube_text(meta, "continue");

	*ret_more = NULL;
	if (!list || (!json_is_array(items) && !json_is_null(items)) || !is_version(is)) {
		snprintf(why, why_len, "%s",
			 !list		   ? "it is not JSON"
			 : !is_version(is) ? "it has no resourceVersion"
					   : "it has no items");
		return -EBADMSG;
	}
	snprintf(version, KUBE_VERSION_LEN, "%s", is);
	if (!more || !*more)
		return 0;
	*ret_more = http_escape(more);
	return *ret_more ? 0 : -ENOMEM;
}

void kube_status_decode(const char *text, size_t len, char *ret, size_t ret_len)
{
	_cleanup_(json_unrefp) json_t *status = parse(text, len);
	const char *message = kube_text(status, "message");

	snprintf(ret, ret_len, "%.200s", message ? message : "");
	for (char *at = ret; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = ' ';
}
