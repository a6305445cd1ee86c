/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What all objects of Kubernetes have. */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include "registry/kube_object.h"

#define LABEL_MOST 63 /* of a namespace: it is a label of the DNS */

void kube_odd_say(const struct kube_odd *odd, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	odd->fn(odd->ctx, text);
}

const char *kube_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

bool kube_bool(const json_t *o, const char *key, bool def)
{
	const json_t *v = json_object_get(o, key);

	return json_is_boolean(v) ? json_is_true(v) : def;
}

/* Names go into names of ours and into messages: nothing but what DNS has. */
static bool is_name(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	size_t len = text ? strlen(text) : 0;

	return len && len <= KUBE_NAME_MOST && strspn(text, plain) == len;
}

/* FNV-1a with 64 bits. */
uint64_t kube_digest(const char *text, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
	return h ? h : 1;
}

int kube_id_decode(const json_t *object, struct kube_id *ret)
{
	const json_t *meta = json_object_get(object, "metadata");

	ret->namespace = kube_text(meta, "namespace");
	ret->name = kube_text(meta, "name");
	return is_name(ret->namespace) && is_name(ret->name) && strlen(ret->namespace) <= LABEL_MOST ? 0 : -EBADMSG;
}

static uint8_t protocol(const json_t *port)
{
	const json_t *v = json_object_get(port, "protocol");
	const char *text = json_string_value(v);

	if (!v || json_is_null(v) || (text && !strcmp(text, "TCP")))
		return IPPROTO_TCP;
	return text && !strcmp(text, "UDP") ? IPPROTO_UDP : 0;
}

/* -EBADMSG: no usable port. */
static int decode_port(const json_t *o, struct kube_port *ret)
{
	const json_t *number = json_object_get(o, "port"), *name = json_object_get(o, "name");
	const char *text = json_string_value(name);

	if (!json_is_integer(number) || json_integer_value(number) < 1 || json_integer_value(number) > 65535)
		return -EBADMSG;
	if (name && !text && !json_is_null(name))
		return -EBADMSG;
	if (text && *text && (!is_name(text) || strlen(text) > KUBE_WORD_MOST))
		return -EBADMSG;
	*ret = (struct kube_port){ .port = (uint16_t)json_integer_value(number), .proto = protocol(o) };
	snprintf(ret->name, sizeof(ret->name), "%s", text ? text : "");
	return 0;
}

int kube_ports_decode(const json_t *list, const char *what, const struct kube_odd *odd, struct kube_port **ret,
		      size_t *ret_nr)
{
	size_t nr = json_array_size(list);
	const json_t *o;
	size_t i;

	if (!nr)
		return 0;
	*ret = calloc(nr, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	json_array_foreach((json_t *)list, i, o)
	{
		if (!decode_port(o, &(*ret)[*ret_nr]))
			(*ret_nr)++;
		else
			kube_odd_say(odd, "%s: a port that cannot be used", what);
	}
	return 0;
}
