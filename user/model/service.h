/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A service as it is wanted: a value, built by config/ and discovery/, read by plane/. No I/O, no kernel. */
#ifndef MODEL_SERVICE_H
#define MODEL_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/resilience.h"
#include "model/source.h"
#include "weft/abi.h"

struct endpoint {
	struct weft_addr addr;
	uint16_t port;	  /* host order, > 0 */
	uint16_t weight;  /* 0..WEFT_WEIGHT_MAX */
	uint8_t priority; /* 0: preferred; 0..WEFT_PRIORITY_MAX */
	bool unready;	  /* its source says that it takes no new connections now */
	const char *zone; /* NULL: none; interned with word_keep(), never freed, compared by pointer */
};

struct frontend {
	struct weft_addr addr;
	uint16_t port; /* host order, > 0 */
};

struct service {
	char *name;	  /* unique in a model; 1..WEFT_NAME_LEN-1 bytes */
	uint8_t proto;	  /* IPPROTO_TCP or IPPROTO_UDP; of all its frontends and endpoints */
	uint8_t lb;	  /* enum weft_lb */
	uint8_t hash_by;  /* enum weft_client, never NONE */
	uint8_t affinity; /* enum weft_client */
	uint32_t affinity_ms;
	uint32_t maglev_size; /* a prime; read only when lb is maglev */

	uint32_t connect_timeout_ms; /* TCP; 0: the kernel's own */
	bool failover;		     /* TCP */
	uint32_t drain_ms;	     /* 0: connections of leaving endpoints are never closed */
	uint32_t slow_start_ms;	     /* 0: off */
	uint8_t slow_start_percent;
	uint8_t panic_percent;	 /* 0: never */
	bool zone_aware;	 /* this node's zone first */
	uint32_t zone_endpoints; /* least number of endpoints, else zones are ignored */
	struct limits limits;
	struct ejection ejection;
	struct breaker breaker;
	struct health_check check;

	struct frontend
		*frontends; /* 1.. of them, in the order written; all of one address family each with its endpoints */
	size_t nr_frontends;
	struct endpoint *endpoints; /* sorted by address, then port; no two alike */
	size_t nr_endpoints;
	uint32_t frontends_capacity, endpoints_capacity; /* of the arrays; 0: as many as there are */

	struct source *sources; /* registries that name more endpoints; those above are the file's own */
	size_t nr_sources;
	uint8_t combine; /* enum combine */

	char *file;    /* where it was written; for messages */
	unsigned line; /* 1.. */

	unsigned refs; /* shared between the models before and after a reload */
};

struct service *service_new(const char *name);	/* refs = 1, defaults set; NULL: no memory */
struct service *service_ref(struct service *s); /* returns @s */
void service_unref(struct service *s);		/* NULL is fine */
static inline void service_unrefp(struct service **s)
{
	service_unref(*s);
}

/* A copy without endpoints; NULL: no memory. */
struct service *service_clone(const struct service *s);

/* Add at the end; 0 or -ENOMEM. service_sort() must follow before the service is used. */
int service_add_frontend(struct service *s, const struct frontend *f);
int service_add_endpoint(struct service *s, const struct endpoint *e);
/* Sorts the endpoints. Returns the index of an endpoint that is there twice, else -1. */
long service_sort(struct service *s);

/* Text that lives as long as the process, one copy of each: for zones. Any thread may call it. NULL: no memory. */
const char *word_keep(const char *text);

/* The same to kernel and agent: everything but file, line and refs. */
bool service_equal(const struct service *a, const struct service *b);
int endpoint_compare(const struct endpoint *a, const struct endpoint *b); /* by address, then port; nothing else */

/* Words of weft.yaml. From-word functions return the enum value or -EINVAL. */
const char *lb_name(unsigned lb);
const char *lb_text(unsigned lb); /* one sentence */
int lb_from_name(const char *name);
const char *client_name(unsigned client); /* "none", "address", "workload" */
int client_from_name(const char *name);
const char *proto_name(unsigned proto); /* "tcp", "udp" */
int proto_from_name(const char *name);

/* Text of addresses. @len of at least ADDR_TEXT_LEN; returns @text. IPv4 for mapped addresses; [v6]:port. */
#define ADDR_TEXT_LEN 64
char *addr_format(const struct weft_addr *a, char *text, size_t len);
char *addr_port_format(const struct weft_addr *a, uint16_t port, char *text, size_t len);
/* Strict: "10.0.0.1", "fd00::1". 0 or -EINVAL. A v4-mapped IPv6 text is refused: write the IPv4 address. */
int addr_parse(const char *text, struct weft_addr *ret);
/* "10.0.0.1:80", "[fd00::1]:80"; the port 1..65535. 0 or -EINVAL. */
int addr_port_parse(const char *text, struct weft_addr *ret_addr, uint16_t *ret_port);

#endif
