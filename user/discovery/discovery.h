/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Registries as the agent sees them: opened and closed as the config says, asked for what services name in `discover:`,
 * and what they answer laid over the model that the files make. All in one loop; knows no map.
 *
 * What was found once stays until the registry says otherwise: an outage, an error, a garbled or (unless `empty: clear`
 * is written) an empty answer changes nothing. A source that has not answered yet since the start counts with what was
 * found before it (state_dir), so that an agent that starts anew takes nothing away.
 */
#ifndef DISCOVERY_DISCOVERY_H
#define DISCOVERY_DISCOVERY_H

#include <uv.h>

#include "config/config.h"
#include "discovery/registry.h"

struct discovery;

struct discovery_options {
	uv_loop_t *loop;
	const struct provider *const *providers; /* NULL terminated */
	const char *zone;			 /* of this node; copied; NULL: not known */
	/* Something was found that may change the model: call discovery_model() soon. From the loop, not from within
	 * calls of this header. */
	void (*changed)(void *ctx);
	const char *state_dir; /* where what was found is kept for the next start; copied; NULL: nowhere */
	void *ctx;
};

int discovery_new(const struct discovery_options *o, struct discovery **ret); /* 0 or -ENOMEM */

/*
 * Opens, closes and asks what @c and @written (sealed, of the files) now want. Registries and sources that stay as they
 * were go on undisturbed. 0 or -ENOMEM (call again). Cheap when nothing changed.
 */
int discovery_configure(struct discovery *d, const struct config *c, const struct model *written);

/* The services of @written with what is found, and those of registries that yield whole ones, sealed. Services that did
 * not change are the same objects as last time. Caller frees. 0 or -ENOMEM. */
int discovery_model(struct discovery *d, const struct model *written, struct model **ret);

/* Closes everything; @closed runs when no handle is left. Not again from then on. */
void discovery_close(struct discovery *d, void (*closed)(void *ctx), void *ctx);

/*
 * Tells whether what `register:` says of @name at this address is up. Before the first call for it nothing is written
 * anywhere; what an agent before this one wrote stays until then.
 */
void discovery_set_up(struct discovery *d, const char *name, const struct weft_addr *addr, uint16_t port, bool up);

/* The zone of this node: of the options, or else as a registry said; NULL: not known. Borrowed until the loop runs. */
const char *discovery_zone(const struct discovery *d);

/* Writes what was found to state_dir when it changed. Called by itself soon after a change, and when it closes. */
void discovery_save(struct discovery *d);

/* Removes what is kept in @state_dir, and the folder when nothing else is in it. */
void discovery_forget(const char *state_dir);

/* ---- figures ---- */

enum source_state {
	SOURCE_WAITING, /* no answer since the start */
	SOURCE_OK,
	SOURCE_FAILING, /* what counts is older than the failure */
	SOURCE_HELD,	/* the last answer was empty and is not believed */
};
const char *source_state_name(unsigned state);

struct source_view {
	const char *service, *registry, *type;
	size_t index; /* in `discover:`, from 0 */
	enum source_state state;
	const char *error; /* "" unless failing */
	double age;	   /* seconds since the last answer; negative: none yet */
	const struct found *found;
};
struct registry_view {
	const char *name, *type;
	bool failing;
	const char *error;
	double heard; /* seconds since the last sign of life; negative: none yet */
	struct registry_seen seen;
	size_t sources, services; /* sources that ask it; whole services it yields */
};

struct announcement_view {
	const char *service, *registry, *type;
	struct weft_addr addr;
	uint16_t port;
	bool known, up;	   /* known: a check has said */
	bool written;	   /* the registry has what up says */
	const char *error; /* "" unless failing */
};

/* Call @fn for each; it must not call back into discovery. Non-zero ends the walk and is returned. */
int discovery_each_registry(const struct discovery *d, int (*fn)(void *ctx, const struct registry_view *v), void *ctx);
int discovery_each_source(const struct discovery *d, int (*fn)(void *ctx, const struct source_view *v), void *ctx);
int discovery_each_announcement(const struct discovery *d, int (*fn)(void *ctx, const struct announcement_view *v),
				void *ctx);
/* Have all sources and registries of whole services answered at least once? */
bool discovery_settled(const struct discovery *d);

#endif
