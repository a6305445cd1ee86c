/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An EndpointSlice of discovery.k8s.io/v1. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/kube_object.h"

#define SERVICE_LABEL "kubernetes.io/service-name"

void kube_slice_free(struct kube_slice *s)
{
	if (!s)
		return;
	free(s->namespace);
	free(s->name);
	free(s->service);
	free(s->ports);
	free(s->endpoints);
	free(s->words);
	free(s);
}

/* 0 or -ENOMEM; *ret is 0 when there is no text. */
static int add_word(struct kube_slice *s, size_t *room, const char *text, uint32_t *ret)
{
	size_t len = text ? strlen(text) + 1 : 0;
	char *more;

	*ret = 0;
	if (len < 2 || len > KUBE_NAME_MOST + 1)
		return 0;
	if (!s->words || s->words_len + len > *room) {
		*room = (s->words_len + len) * 2 + 64;
		more = realloc(s->words, *room);
		if (!more)
			return -ENOMEM;
		if (!s->words)
			more[s->words_len++] = '\0';
		s->words = more;
	}
	*ret = (uint32_t)s->words_len;
	memcpy(s->words + s->words_len, text, len);
	s->words_len += len;
	return 0;
}

/* Is @ours among the names in @list? *ret_said: there are any. */
static bool hinted(const json_t *list, const char *ours, bool *ret_said)
{
	bool there = false;
	const json_t *o;
	const char *name;
	size_t i;

	*ret_said = false;
	json_array_foreach((json_t *)list, i, o)
	{
		name = kube_text(o, "name");
		*ret_said |= name != NULL;
		there |= name && ours && !strcmp(name, ours);
	}
	return there;
}

static uint8_t decode_hints(const json_t *hints, const struct kube_place *place)
{
	uint8_t flags = 0;
	bool said;

	if (hinted(json_object_get(hints, "forZones"), place->zone, &said))
		flags |= KUBE_OUR_ZONE_HINT;
	if (said)
		flags |= KUBE_ZONE_HINT;
	if (hinted(json_object_get(hints, "forNodes"), place->node, &said))
		flags |= KUBE_OUR_NODE_HINT;
	if (said)
		flags |= KUBE_NODE_HINT;
	return flags;
}

/* What is not said: ready, serving as it is ready, not terminating. */
static uint8_t decode_conditions(const json_t *c)
{
	bool ready = kube_bool(c, "ready", true), terminating = kube_bool(c, "terminating", false);

	return (ready ? KUBE_READY : 0) | (kube_bool(c, "serving", ready) ? KUBE_SERVING : 0) |
	       (terminating ? KUBE_TERMINATING : 0);
}

/* -EBADMSG: it has no address of the slice's family. Of several the first one counts, as for kube-proxy. */
static int decode_endpoint(struct kube_slice *s, size_t *room, const json_t *o, const struct kube_place *place,
			   struct kube_endpoint *ret)
{
	const char *ip = json_string_value(json_array_get(json_object_get(o, "addresses"), 0));
	const char *zone = kube_text(o, "zone"), *node = kube_text(o, "nodeName");
	int r;

	*ret = (struct kube_endpoint){ .flags = decode_conditions(json_object_get(o, "conditions")) |
						decode_hints(json_object_get(o, "hints"), place) };
	if (!ip || addr_parse(ip, &ret->addr) || weft_addr_is_any(&ret->addr) ||
	    (bool)weft_addr_is_v4(&ret->addr) != s->v4)
		return -EBADMSG;
	if (zone && *zone && strlen(zone) <= KUBE_WORD_MOST) {
		ret->zone = word_keep(zone);
		if (!ret->zone)
			return -ENOMEM;
	}
	if (node && place->node && !strcmp(node, place->node))
		ret->flags |= KUBE_OUR_NODE;
	r = add_word(s, room, kube_text(json_object_get(o, "targetRef"), "name"), &ret->pod);
	return r ? r : add_word(s, room, node, &ret->node);
}

static int decode_endpoints(struct kube_slice *s, const json_t *list, const struct kube_place *place,
			    const struct kube_odd *odd)
{
	size_t room = 0, i, nr = json_array_size(list);
	const json_t *o;
	int r;

	if (!nr)
		return 0;
	s->endpoints = calloc(nr, sizeof(*s->endpoints));
	if (!s->endpoints)
		return -ENOMEM;
	json_array_foreach((json_t *)list, i, o)
	{
		r = decode_endpoint(s, &room, o, place, &s->endpoints[s->nr_endpoints]);
		if (r == -EBADMSG)
			kube_odd_say(odd, "endpoint slice %s/%s: an endpoint without a usable address", s->namespace,
				     s->name);
		else if (r)
			return r;
		else
			s->nr_endpoints++;
	}
	return 0;
}

/* What is kept for long is not larger than it must be. */
static void shrink(struct kube_slice *s)
{
	char *less = s->words ? realloc(s->words, s->words_len) : NULL;

	if (less)
		s->words = less;
}

static int decode_rest(struct kube_slice *s, const json_t *object, const struct kube_place *place,
		       const struct kube_odd *odd)
{
	const char *type = kube_text(object, "addressType");
	char what[600];
	int r;

	snprintf(what, sizeof(what), "endpoint slice %s/%s", s->namespace, s->name);
	if (!type || (strcmp(type, "IPv4") && strcmp(type, "IPv6"))) {
		kube_odd_say(odd, "%s: addresses of a type that is not IPv4 or IPv6", what);
		free(MOVE(s->service, NULL));
		return 0;
	}
	s->v4 = !strcmp(type, "IPv4");
	r = kube_ports_decode(json_object_get(object, "ports"), what, odd, &s->ports, &s->nr_ports);
	if (!r)
		r = decode_endpoints(s, json_object_get(object, "endpoints"), place, odd);
	shrink(s);
	return r;
}

int kube_slice_decode(const json_t *object, const struct kube_place *place, const struct kube_odd *odd,
		      struct kube_slice **ret)
{
	_cleanup_(kube_slice_freep) struct kube_slice *s = calloc(1, sizeof(*s));
	const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
	const char *service = kube_text(labels, SERVICE_LABEL);
	struct kube_id id;
	int r = 0;

	if (!s)
		return -ENOMEM;
	if (kube_id_decode(object, &id)) {
		kube_odd_say(odd, "an endpoint slice without a name");
		return -EBADMSG;
	}
	s->namespace = strdup(id.namespace);
	s->name = strdup(id.name);
	if (!s->namespace || !s->name)
		return -ENOMEM;
	if (service && *service && strlen(service) <= KUBE_NAME_MOST) {
		s->service = strdup(service);
		r = s->service ? decode_rest(s, object, place, odd) : -ENOMEM;
	}
	if (r)
		return r;
	*ret = MOVE(s, NULL);
	return 0;
}
