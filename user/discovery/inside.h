/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the files of discovery's core share. Inside discovery/ only. */
#ifndef DISCOVERY_INSIDE_H
#define DISCOVERY_INSIDE_H

#include "discovery/discovery.h"
#include "discovery/hosts.h"
#include "model/pool.h"

/* One source of one service. */
struct lookup_core {
	struct discovery *discovery;
	struct subject *subject; /* NULL: being stopped */
	struct lookup *lookup;	 /* NULL: could not be started */
	char *registry;
	struct options options;
	struct found found; /* what counts */
	struct hosts hosts; /* the names in it */
	bool answered;	    /* found is an answer of this process' time */
	bool is_new;	    /* its service was there before it */
	bool held;	    /* the last answer was empty, and is not believed */
	uint64_t answered_ns;
	char error[256]; /* why it could not be started */
};

/* A service of the files that has sources. */
struct subject {
	struct service *written; /* a reference, like those below */
	struct service *merged;	 /* NULL: to be made anew */
	struct service *before;	 /* the last one made */
	struct service *prior;	 /* as of the process before this; NULL: all sources have answered */
	struct lookup_core **sources;
	size_t nr_sources;
};

/* A sorted list of services; holds a reference on each. */
struct service_list {
	struct service **at;
	bool *seen; /* put since the sync began */
	size_t nr, capacity;
};

struct registry_core {
	struct discovery *discovery;
	struct registry *registry; /* NULL: could not be opened */
	char *name, *type;
	struct options options;
	size_t lookups; /* and announcements, that run or are being stopped */
	bool closing, syncing, synced;
	bool unwanted; /* closing, but nobody was told yet */
	struct service_list services;
	char error[256];  /* why it could not be opened */
	uint64_t said_ns; /* failures of its lookups that the log was told: since when, how many */
	unsigned said;
};

/* An entry of `register:`. */
struct announcement_core {
	struct discovery *discovery;	   /* NULL: no longer wanted */
	struct announcement *announcement; /* NULL: its registry is not open, or nothing is known yet */
	char *name, *registry;
	struct options options;
	struct weft_addr addr;
	uint16_t port;
	struct label *labels; /* point into words */
	char **words;
	size_t nr_labels;
	bool known, up, written;
	struct pace pace; /* of changes */
};

struct discovery {
	struct discovery_options o;
	char *zone, *state_dir; /* zone: of the options */
	char *told_zone;	/* that a registry said; NULL: none */
	struct http_client *http;
	struct names *names;		   /* NULL: none was ever needed */
	struct registry_core **registries; /* those that close are in it, too */
	size_t nr_registries;
	struct subject *subjects; /* sorted by name */
	size_t nr_subjects;
	struct announcement_core **announcements;
	size_t nr_announcements;
	uv_timer_t announce_timer;   /* of changes that came too fast */
	struct pool *pool;	     /* of addresses for services of registries */
	size_t addressless;	     /* services that found none there, as it was last said */
	struct model *prior_sources; /* of the process before; NULL: none or no longer needed */
	uv_timer_t changed_timer, save_timer, workloads_timer;
	bool changed, unsaved, workloads_dirty, closing;
	unsigned handles;
	uint64_t save_cost_ms;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

uint64_t discovery_now_ns(void);
/* Something is other than it was: the agent is told soon. */
void discovery_touch(struct discovery *d);
/* A registry has closed: was it the last one? */
void discovery_may_end(struct discovery *d);
void discovery_handle_closed(struct discovery *d);

/* ---- service_list.c ---- */
void service_list_done(struct service_list *l);
size_t service_list_find(const struct service_list *l, const char *name, bool *ret_there);
int service_list_put(struct service_list *l, struct service *s); /* takes a reference; 1: it was there just so */
void service_list_remove(struct service_list *l, size_t i);

/* ---- sources.c ---- */
int sources_configure(struct discovery *d, const struct model *written);
void sources_start(struct discovery *d); /* those that do not run and can */
int subject_merge(struct subject *s);	 /* 0 or -ENOMEM */
void sources_close(struct discovery *d);
void sources_close_names(struct discovery *d); /* when all lookups have ended */
/* Stops those that ask @g, which closes; their found state stays. */
void sources_leave(struct discovery *d, struct registry_core *g);

/* ---- announce.c ---- */
int announcements_configure(struct discovery *d, const struct config *c);
void announcements_start(struct discovery *d);				/* those that can */
void announcements_leave(struct discovery *d, struct registry_core *g); /* @g closes */
void announcements_close(struct discovery *d);

/* ---- registries.c ---- */
int registries_configure(struct discovery *d, const struct config *c);
void registries_open(struct discovery *d);
void registries_close(struct discovery *d);
struct registry_core *registry_named(const struct discovery *d, const char *name); /* NULL: none, or it closes */
void registry_may_close(struct registry_core *g);				   /* one of its lookups has ended */

/* ---- addressing.c ---- */
int addressing_set(struct discovery *d, const struct config *c);
/* Those of *m that lack an address have one then, or are left out. 0 or -ENOMEM. */
int addressing_fill(struct discovery *d, struct model **m);

/* ---- combine.c: pure ---- */

/* What one source contributes. */
struct part {
	const struct found *found;
	const struct options *options;
	const struct hosts *hosts; /* NULL: no endpoint is named by a host name */
	bool answered;
};
/* @written with the endpoints of its sources; @prior: what those that have not answered count with, or NULL. A new
 * service, sorted and within its limits; NULL: no memory. */
struct service *combine(const struct service *written, const struct part *parts, size_t nr,
			const struct service *prior);
/* Takes out what the source's `filter:` does not want. */
void filter_found(struct found *f, const struct options *o);
/* Sorts, takes out doubles, and makes priorities and number fit. */
void service_settle(struct service *s);

/* ---- state.c ---- */
void state_load_sources(struct discovery *d);
void state_load_registry(struct discovery *d, struct registry_core *g);
void state_changed(struct discovery *d);

#endif
