/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/kube_pods.h"

#define UID_MOST 63

static void pod_done(struct kube_pod *p)
{
	free(p->uid);
	free(p->namespace);
	free(p->name);
	free(p->account);
	*p = (struct kube_pod){ 0 };
}

void kube_pods_done(struct kube_pods *p)
{
	for (size_t i = 0; i < p->nr; i++)
		pod_done(&p->at[i]);
	free(p->at);
	*p = (struct kube_pods){ 0 };
}

static struct kube_pod *find(const struct kube_pods *p, const char *namespace, const char *name)
{
	for (size_t i = 0; i < p->nr; i++)
		if (!strcmp(p->at[i].name, name) && !strcmp(p->at[i].namespace, namespace))
			return &p->at[i];
	return NULL;
}

/* As it stands in the name of a cgroup. A static pod's is a hash without dashes. */
static bool is_uid(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len && len <= UID_MOST && strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz-") == len;
}

/* The kubelet's own name for a static pod is in an annotation; its mirror at the server has another uid. */
static const char *uid_of(const json_t *meta)
{
	const char *mirrored = kube_text(json_object_get(meta, "annotations"), "kubernetes.io/config.hash");

	return mirrored ? mirrored : kube_text(meta, "uid");
}

static int make(const json_t *object, const struct kube_id *id, struct kube_pod *ret)
{
	const char *uid = uid_of(json_object_get(object, "metadata")),
		   *account = kube_text(json_object_get(object, "spec"), "serviceAccountName");

	if (!is_uid(uid))
		return -EBADMSG;
	if (!account || strlen(account) > KUBE_NAME_MOST || strpbrk(account, " \t\r\n/"))
		account = "";
	*ret = (struct kube_pod){ .uid = strdup(uid),
				  .namespace = strdup(id->namespace),
				  .name = strdup(id->name),
				  .account = strdup(account) };
	return ret->uid && ret->namespace && ret->name && ret->account ? 0 : -ENOMEM;
}

static struct kube_pod *add(struct kube_pods *p)
{
	if (p->nr == p->capacity) {
		size_t want = p->capacity ? p->capacity * 2 : 32;
		struct kube_pod *more = reallocarray(p->at, want, sizeof(*more));

		if (!more)
			return NULL;
		p->at = more;
		p->capacity = want;
	}
	p->at[p->nr] = (struct kube_pod){ 0 };
	return &p->at[p->nr++];
}

int kube_pods_put(struct kube_pods *p, const json_t *object, struct kube_mark mark)
{
	_cleanup_(pod_done) struct kube_pod fresh = { 0 };
	struct kube_pod *at;
	struct kube_id id;
	int r = kube_id_decode(object, &id);

	if (!r)
		r = make(object, &id, &fresh);
	if (r)
		return r;
	fresh.mark = mark;
	at = find(p, fresh.namespace, fresh.name);
	if (at && !strcmp(at->uid, fresh.uid) && !strcmp(at->account, fresh.account)) {
		at->mark = mark;
		return 0;
	}
	if (!at)
		at = add(p);
	if (!at)
		return -ENOMEM;
	pod_done(at);
	*at = MOVE(fresh, (struct kube_pod){ 0 });
	return 1;
}

static void drop(struct kube_pods *p, struct kube_pod *at)
{
	pod_done(at);
	*at = p->at[--p->nr];
}

bool kube_pods_remove(struct kube_pods *p, const char *namespace, const char *name)
{
	struct kube_pod *at = find(p, namespace, name);

	if (at)
		drop(p, at);
	return at;
}

bool kube_pods_sweep(struct kube_pods *p, struct kube_mark mark)
{
	size_t had = p->nr;

	for (size_t i = p->nr; i--;)
		if (p->at[i].mark.stream != mark.stream || p->at[i].mark.generation != mark.generation)
			drop(p, &p->at[i]);
	return p->nr != had;
}

int kube_pods_each(const struct kube_pods *p, int (*fn)(void *ctx, const struct workload *w), void *ctx)
{
	int r = 0;

	for (size_t i = 0; !r && i < p->nr; i++)
		r = fn(ctx, &(struct workload){ p->at[i].uid, p->at[i].namespace, p->at[i].name, p->at[i].account });
	return r;
}
