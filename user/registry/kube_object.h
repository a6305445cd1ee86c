/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services and EndpointSlices of Kubernetes as far as we need them: values. */
#ifndef REGISTRY_KUBE_OBJECT_H
#define REGISTRY_KUBE_OBJECT_H

#include <jansson.h>

#include "model/service.h"

#define KUBE_NAME_MOST 253 /* of an object, a DNS subdomain */
#define KUBE_WORD_MOST 63  /* of a port, a zone, a label */

/* What an object is; borrowed from it. */
struct kube_id {
	const char *namespace, *name;
};

struct kube_port {
	char name[KUBE_WORD_MOST + 1]; /* "": the only one */
	uint16_t port;
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP; 0: another one */
};

enum kube_address_kind { KUBE_CLUSTER_IP = 1, KUBE_EXTERNAL_IP = 2, KUBE_LOAD_BALANCER = 4 };

struct kube_address {
	struct weft_addr addr;
	uint8_t kind;
};

/* Annotations weft.io/...; what was not said has the value of a new service. */
struct kube_wishes {
	bool ignore, serve;
	bool has_balance, has_connect, has_drain, has_slow_start, has_ejection;
	bool ejection;
	uint8_t balance; /* enum weft_lb */
	uint32_t connect_ms, drain_ms, slow_start_ms, max_connections;
};

struct kube_service {
	char *namespace, *name;
	uint64_t digest;    /* kube_digest() of its text in a list; 0: not known */
	bool external_name; /* an alias in DNS: nothing for us */
	bool elsewhere;	    /* for another proxy, by its label */
	bool local;	    /* internalTrafficPolicy: endpoints of the caller's node only */
	bool publish_unready;
	uint32_t affinity_ms; /* 0: none */
	struct kube_wishes wishes;
	struct kube_address *addresses; /* the first one's family is the first family */
	size_t nr_addresses;
	struct kube_port *ports;
	size_t nr_ports;
};

enum kube_endpoint_flag {
	KUBE_READY = 1,
	KUBE_SERVING = 2,
	KUBE_TERMINATING = 4,
	KUBE_OUR_NODE = 8,
	KUBE_ZONE_HINT = 16,
	KUBE_OUR_ZONE_HINT = 32,
	KUBE_NODE_HINT = 64,
	KUBE_OUR_NODE_HINT = 128,
};

struct kube_endpoint {
	struct weft_addr addr;
	const char *zone;   /* word_keep(); NULL: not said */
	uint32_t pod, node; /* offsets in the slice's words; 0: not said */
	uint8_t flags;
};

struct kube_slice {
	struct kube_slice *next; /* of the same service; for the store */
	char *namespace, *name;
	char *service; /* NULL: of none, or nothing that can be used (FQDN) */
	uint64_t digest;
	bool v4;
	struct kube_port *ports;
	size_t nr_ports;
	struct kube_endpoint *endpoints;
	size_t nr_endpoints;
	char *words; /* begins with a NUL */
	size_t words_len;
};

/* Which node this is. */
struct kube_place {
	const char *node, *zone; /* NULL: not known */
};

/* Told of everything that cannot be used; @text is one clause. */
struct kube_odd {
	void (*fn)(void *ctx, const char *text);
	void *ctx;
};
void kube_odd_say(const struct kube_odd *odd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Tells one text from another; never 0. A resourceVersion would not do: after a restore the same one may come again. */
uint64_t kube_digest(const char *text, size_t len);

/* 0, or -EBADMSG: it has no usable metadata. */
int kube_id_decode(const json_t *object, struct kube_id *ret);
/* 0; -EBADMSG: told as odd; -ENOMEM. */
int kube_service_decode(const json_t *object, const struct kube_odd *odd, struct kube_service **ret);
int kube_slice_decode(const json_t *object, const struct kube_place *place, const struct kube_odd *odd,
		      struct kube_slice **ret);
void kube_wishes_decode(const json_t *annotations, const char *service, const struct kube_odd *odd,
			struct kube_wishes *ret);

void kube_service_free(struct kube_service *s); /* NULL is fine */
void kube_slice_free(struct kube_slice *s);
static inline void kube_service_freep(struct kube_service **s)
{
	kube_service_free(*s);
}
static inline void kube_slice_freep(struct kube_slice **s)
{
	kube_slice_free(*s);
}

/* Inside the decoder: members of the right type, or NULL and false. */
const char *kube_text(const json_t *o, const char *key);
bool kube_bool(const json_t *o, const char *key, bool def);
int kube_ports_decode(const json_t *list, const char *what, const struct kube_odd *odd, struct kube_port **ret,
		      size_t *ret_nr);

#endif
