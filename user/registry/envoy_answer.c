/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Questions and answers of xDS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/envoy_decode.h"

static const char *text_or_empty(const json_t *object, const char *key)
{
	const char *text = envoy_text(object, key);

	return text ? text : "";
}

const json_t *envoy_resource(const json_t *resource, const char *message)
{
	/* envoy.service.discovery.v3.Resource; the resource within has a type of its own. */
	if (json_object_get(resource, "@type") && envoy_is_a(resource, "Resource"))
		resource = envoy_get(resource, "resource");
	return json_is_object(resource) && envoy_is_a(resource, message) ? resource : NULL;
}

int envoy_answer(const json_t *root, const char *message, struct envoy_answer *ret, char *why, size_t why_len)
{
	const char *type = envoy_text(root, "type_url");
	const char *last = type ? strrchr(type, '.') : NULL;

	*ret = (struct envoy_answer){ .version = text_or_empty(root, "version_info"),
				      .nonce = text_or_empty(root, "nonce"),
				      .resources = envoy_get(root, "resources") };
	if (!json_is_object(root) || (ret->resources && !json_is_array(ret->resources)) ||
	    (!ret->resources && !type && !*ret->version)) {
		snprintf(why, why_len, "this is no DiscoveryResponse");
		return -EBADMSG;
	}
	if (type && strcmp(last ? last + 1 : type, message)) {
		snprintf(why, why_len, "its type_url says that it is no %s", message);
		return -EBADMSG;
	}
	return 0;
}

static const char *type_url(const char *message)
{
	return !strcmp(message, "Cluster") ? "type.googleapis.com/envoy.config.cluster.v3.Cluster"
					   : "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
}

#define INVALID_ARGUMENT 3 /* google.rpc.Code */

char *envoy_question(const struct envoy_ask *a)
{
	json_t *names = json_array(), *question;
	char *text;

	for (size_t i = 0; i < a->nr_names; i++)
		json_array_append_new(names, json_string(a->names[i]));
	question = json_pack("{ss so}", "type_url", type_url(a->message), "resource_names", names);
	if (*a->version)
		json_object_set_new(question, "version_info", json_string(a->version));
	if (*a->nonce)
		json_object_set_new(question, "response_nonce", json_string(a->nonce));
	if (a->node || a->cluster)
		json_object_set_new(
			question, "node",
			json_pack("{ss ss}", "id", a->node ? a->node : "", "cluster", a->cluster ? a->cluster : ""));
	if (a->error)
		json_object_set_new(question, "error_detail",
				    json_pack("{si ss}", "code", INVALID_ARGUMENT, "message", a->error));
	text = question ? json_dumps(question, JSON_COMPACT) : NULL;
	json_decref(question);
	return text;
}
