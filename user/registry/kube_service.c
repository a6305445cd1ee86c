/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A Service of core/v1. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/kube_object.h"

#define AFFINITY_SECONDS 10800 /* as the API server sets it */
#define PROXY_LABEL	 "service.kubernetes.io/service-proxy-name"

void kube_service_free(struct kube_service *s)
{
	if (!s)
		return;
	free(s->namespace);
	free(s->name);
	free(s->addresses);
	free(s->ports);
	free(s);
}

static bool is(const json_t *o, const char *key, const char *value)
{
	const char *text = kube_text(o, key);

	return text && !strcmp(text, value);
}

static void add_address(struct kube_service *s, const json_t *text, uint8_t kind, const struct kube_odd *odd)
{
	struct kube_address *a = &s->addresses[s->nr_addresses];
	const char *ip = json_string_value(text);

	if (!ip || addr_parse(ip, &a->addr) || weft_addr_is_any(&a->addr)) {
		kube_odd_say(odd, "service %s/%s: an address that is none", s->namespace, s->name);
		return;
	}
	for (size_t i = 0; i < s->nr_addresses; i++)
		if (weft_addr_equal(&s->addresses[i].addr, &a->addr))
			return;
	a->kind = kind;
	s->nr_addresses++;
}

/*
 * Addresses of a load balancer that is a proxy (ipMode) want to see the connection themselves, and those with ranges of
 * sources are not for everybody: both are left to whoever has them.
 */
static void add_balancers(struct kube_service *s, const json_t *spec, const json_t *ingress, const struct kube_odd *odd)
{
	const json_t *o;
	size_t i;

	if (json_array_size(json_object_get(spec, "loadBalancerSourceRanges")))
		return;
	json_array_foreach((json_t *)ingress, i, o)
	{
		if (kube_text(o, "ip") && !is(o, "ipMode", "Proxy"))
			add_address(s, json_object_get(o, "ip"), KUBE_LOAD_BALANCER, odd);
	}
}

static int decode_addresses(struct kube_service *s, const json_t *object, const json_t *spec,
			    const struct kube_odd *odd)
{
	const json_t *status = json_object_get(json_object_get(object, "status"), "loadBalancer");
	const json_t *cluster = json_object_get(spec, "clusterIPs"), *external = json_object_get(spec, "externalIPs");
	const json_t *ingress = json_object_get(status, "ingress"), *one = json_object_get(spec, "clusterIP"), *o;
	size_t i, nr = json_array_size(cluster);

	/* Headless. */
	if (is(spec, "clusterIP", "None") || (nr && json_is_string(json_array_get(cluster, 0)) &&
					      !strcmp(json_string_value(json_array_get(cluster, 0)), "None")))
		return 0;
	s->addresses = calloc(nr + json_array_size(external) + json_array_size(ingress) + 1, sizeof(*s->addresses));
	if (!s->addresses)
		return -ENOMEM;
	if (!nr && kube_text(spec, "clusterIP") && *kube_text(spec, "clusterIP"))
		add_address(s, one, KUBE_CLUSTER_IP, odd);
	json_array_foreach((json_t *)cluster, i, o)
	{
		add_address(s, o, KUBE_CLUSTER_IP, odd);
	}
	json_array_foreach((json_t *)external, i, o)
	{
		add_address(s, o, KUBE_EXTERNAL_IP, odd);
	}
	add_balancers(s, spec, ingress, odd);
	return 0;
}

static uint32_t affinity_ms(const json_t *spec)
{
	const json_t *client = json_object_get(json_object_get(spec, "sessionAffinityConfig"), "clientIP");
	const json_t *seconds = json_object_get(client, "timeoutSeconds");
	json_int_t n = json_is_integer(seconds) ? json_integer_value(seconds) : AFFINITY_SECONDS;

	if (!is(spec, "sessionAffinity", "ClientIP"))
		return 0;
	return (uint32_t)(n < 1 || n > 86400 ? AFFINITY_SECONDS : n) * 1000;
}

int kube_service_decode(const json_t *object, const struct kube_odd *odd, struct kube_service **ret)
{
	_cleanup_(kube_service_freep) struct kube_service *s = calloc(1, sizeof(*s));
	const json_t *meta = json_object_get(object, "metadata"), *spec = json_object_get(object, "spec");
	const char *proxy = kube_text(json_object_get(meta, "labels"), PROXY_LABEL);
	char what[600];
	struct kube_id id;
	int r;

	if (!s)
		return -ENOMEM;
	if (kube_id_decode(object, &id) || !json_is_object(spec)) {
		kube_odd_say(odd, "a service without a name or a spec");
		return -EBADMSG;
	}
	s->namespace = strdup(id.namespace);
	s->name = strdup(id.name);
	if (!s->namespace || !s->name)
		return -ENOMEM;
	snprintf(what, sizeof(what), "service %s/%s", s->namespace, s->name);
	s->external_name = is(spec, "type", "ExternalName");
	s->elsewhere = proxy && strcmp(proxy, "weft");
	s->local = is(spec, "internalTrafficPolicy", "Local");
	s->publish_unready = kube_bool(spec, "publishNotReadyAddresses", false);
	s->affinity_ms = affinity_ms(spec);
	kube_wishes_decode(json_object_get(meta, "annotations"), what, odd, &s->wishes);
	r = s->external_name ? 0 : decode_addresses(s, object, spec, odd);
	if (!r)
		r = kube_ports_decode(json_object_get(spec, "ports"), what, odd, &s->ports, &s->nr_ports);
	if (r)
		return r;
	*ret = MOVE(s, NULL);
	return 0;
}
