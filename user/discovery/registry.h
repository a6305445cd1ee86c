/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a provider (user/registry/) is to the rest: a kind of registry that can be opened, asked for the endpoints of a
 * service, and perhaps told of local ones. All of it runs in the agent's one loop; nothing may block. What a provider
 * reports is all there is at that moment (a set, not a change); what was reported last stays in force until it reports
 * again, whatever fails meanwhile.
 *
 * The provider's own structures begin with these, zeroed by the core:
 *
 *	struct zk { struct registry r; zhandle_t *handle; ... };
 *	struct zk_lookup { struct lookup l; ... };
 */
#ifndef DISCOVERY_REGISTRY_H
#define DISCOVERY_REGISTRY_H

#include <uv.h>

#include "discovery/backoff.h"
#include "discovery/found.h"
#include "discovery/http.h"
#include "model/options.h"
#include "model/source.h"

struct discovery;
struct provider;

/* Counters for metrics; the core keeps all but odd. */
struct registry_seen {
	uint64_t answers;  /* reported sets, services and the like */
	uint64_t failures; /* registry_failed(), lookup_failed() */
	uint64_t odd;	   /* things that it said and that cannot be used */
	uint64_t heard_ns; /* CLOCK_MONOTONIC of the last sign of life; 0: none yet */
};

struct registry {
	const struct provider *type;
	const char *name;	       /* as in weft.yaml */
	const struct options *options; /* of `registries:`; valid until closed */
	uv_loop_t *loop;
	struct http_client *http; /* shared */
	const char *zone;	  /* of this node; NULL: not known */
	struct registry_seen seen;
	bool failing;
	char error[256];	    /* while failing: one sentence */
	struct registry_core *core; /* the core's own */
};

struct lookup {
	struct registry *registry;
	const struct options *options; /* of the service's `discover:` entry; valid until stopped */
	const char *service;	       /* for messages */
	bool failing;
	char error[256];
	struct lookup_core *core;
};

/* A local endpoint that this node tells a registry of (`register:`). */
struct announcement {
	struct registry *registry;
	const struct options *options; /* of the `register:` entry */
	const char *service;
	struct weft_addr addr; /* what others reach it by */
	uint16_t port;
	uint16_t weight;
	const struct label *labels;
	size_t nr_labels;
	bool up;    /* as its checks say; the provider writes it down, or takes it back */
	bool leave; /* in withdraw(): the agent ends, and may soon start anew. What is written stays, for as long as the
		     * registry keeps it without us: end without taking it back */
	bool failing;
	char error[256];
	struct announcement_core *core;
};

/* Something that runs on this node in cgroups of its own: a pod. */
struct workload {
	const char *uid;		    /* stands in the names of its cgroups */
	const char *space, *name, *account; /* account: "" when there is none */
};

struct provider {
	const char *type; /* word in weft.yaml */
	size_t registry_size, lookup_size, announcement_size;

	bool empty_is_true; /* an empty answer is believed unless `empty: keep` is written */
	/* Does @r, as it is configured, yield whole services (below)? NULL: never. */
	bool (*yields_services)(const struct registry *r);

	/*
	 * Begins to connect; 0 at once, or negative errno with registry_failed() said when it can never work (a file of
	 * credentials that is not there is no such case: try again). A provider of whole services (below) begins to
	 * watch them.
	 */
	int (*open)(struct registry *r);
	/* Ends everything; all lookups are stopped before. registry_closed() when no handle is left, now or later. */
	void (*close)(struct registry *r);

	/* Begins to watch what @l->options names. Likewise; lookup_stopped() ends it. NULL: yields whole services only.
	 */
	int (*start)(struct lookup *l);
	void (*stop)(struct lookup *l);

	/* Calls @fn for each workload of this node that it knows; non-zero ends it. NULL: it knows of none. */
	int (*each_workload)(const struct registry *r, int (*fn)(void *ctx, const struct workload *w), void *ctx);

	/* Keys of `register:` that say what is written and not where, besides weight and labels: NULL terminated, or
	 * NULL. When only such ones change, the former announcement leaves (a->leave), and the next one writes over it.
	 */
	const char *const *said;
	/* NULL: cannot be told of local endpoints. changed: a->up did. withdrawn: announcement_withdrawn(). */
	int (*announce)(struct announcement *a);
	void (*changed)(struct announcement *a);
	void (*withdraw)(struct announcement *a);
};

/* ---- what a provider says ---- */

/* The whole answer for @l; takes the contents of @f and leaves it empty. An empty one is an answer, too: whether it is
 * believed is the core's affair (`empty:`). Clears failing of both. */
void lookup_found(struct lookup *l, struct found *f);
/* The last state stays. Said once in the log until something is found again. */
void lookup_failed(struct lookup *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lookup_odd(struct lookup *l, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* debug log, counted */
void lookup_stopped(struct lookup *l);							       /* @l is freed */

void registry_heard(struct registry *r); /* a sign of life: an answer, a heartbeat. Clears failing. */
void registry_failed(struct registry *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void registry_odd(struct registry *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void registry_closed(struct registry *r); /* @r is freed */

void announcement_failed(struct announcement *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void announcement_done(struct announcement *a);	     /* what is written there is what a->up says; clears failing */
void announcement_withdrawn(struct announcement *a); /* @a is freed */

/*
 * Providers of whole services. @s is complete but for its endpoints' order (the core sorts); takes a reference. One of
 * the same name from the same registry is replaced. A service without frontends is put aside and reported; frontends
 * with a port and no address get one of `addresses:`. Between begin and end everything is put that there is: what was
 * there before and is not put goes.
 */
void registry_put(struct registry *r, struct service *s);
void registry_drop(struct registry *r, const char *service);
void registry_sync_begin(struct registry *r);
void registry_sync_end(struct registry *r);
/* Within a sync: what is known of @service, perhaps since before the start, stays as it is. False: nothing is. */
bool registry_keep(struct registry *r, const char *service);

/* Workloads have come, gone or changed: they are asked for soon. */
void registry_workloads_changed(struct registry *r);
/* The registry knows the zone of this node. Counts when the config does not say one. */
void registry_zone(struct registry *r, const char *zone);

/* Reads a file of a secret (token, password) anew, since they are rotated; without the newline. free() it. NULL: errno
 * says why; files above 64 KiB are refused. */
char *secret_read(const char *path);

#endif
