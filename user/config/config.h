/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * weft.yaml as a value, and the services that it and the files it names declare. docs/CONFIG.md is the manual. Parsing
 * is strict: an unknown key, a wrong type or a value out of range is an error with file, line, key and one sentence,
 * and yields nothing.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model/model.h"
#include "model/pool.h"

/* The first thing wrong. Printed as "FILE:LINE: KEY: TEXT" (LINE and KEY only when known). */
struct config_error {
	char file[4096];
	unsigned line;	/* 1.., 0: of the file as a whole */
	char key[256];	/* dotted path as in "services[3].endpoints[0].weight"; may be empty */
	char text[512]; /* one sentence, lower case, no full stop; unprintable input bytes are escaped */
};
/* Formats @e into @text, cut at @len; returns @text. */
char *config_error_format(const struct config_error *e, char *text, size_t len);

struct config_limits { /* map capacities; WEFT_DEF_* when not given */
	uint32_t services, frontends, specs, backends, slots, affinity, edges, handshakes, nat;
};

/* A registry that services and `register:` refer to by name. */
struct registry_config {
	char *name;		/* [a-z0-9][a-z0-9.-]{0,62} */
	char *type;		/* "zookeeper" */
	struct options options; /* "name" and "type" among them */
	unsigned line;
};

/* A local endpoint that a registry is told of. */
struct register_config {
	char *name; /* of the service, for messages; and the default for keys that name it in the registry */
	char *registry;
	struct weft_addr addr;
	uint16_t port;
	struct health_check check; /* type NONE: up as long as the agent runs */
	struct options options;
	unsigned line;
};

/* The responder for names of services. */
struct names_config {
	bool on; /* the rest is set */
	struct weft_addr addr;
	uint16_t port;
	char *suffix;	 /* "weft.internal" */
	uint32_t ttl_ms; /* 5000 */
};

struct config {
	char *file;		     /* as given */
	char *instance;		     /* "default"; [a-z0-9][a-z0-9-]{0,31} */
	char *cgroup;		     /* NULL: found; else an absolute path */
	char *bpffs;		     /* "/sys/fs/bpf" */
	char *socket;		     /* the agent's Unix socket; default "/run/weft/<instance>.sock" */
	char *metrics_listen;	     /* "ADDRESS:PORT"; default "127.0.0.1:9464"; NULL: "off" was written */
	bool metrics_callers;	     /* default true: label "caller" and a row per caller */
	bool metrics_endpoints;	     /* default true: label "endpoint"; false: summed per service */
	uint32_t metrics_max_series; /* default 100000: label sets of services, endpoints and callers in one page */
	uint32_t audit_ms;	     /* recount of active connections; default 60000; 0: off */
	struct config_limits limits;
	char *zone;	      /* of this node; NULL: not given */
	char **links_include; /* patterns of network links that failover works on; NULL terminated; default "*" */
	char **links_exclude; /* and of those that it does not, all the same; default none */
	struct registry_config *registries;
	size_t nr_registries;
	struct register_config *announcements; /* `register:` */
	size_t nr_announcements;
	struct prefix *addresses; /* for services that have a port only, see model/pool.h */
	size_t nr_addresses;
	struct names_config names;
	char *file_output; /* the folder that services are written to, see discovery/output.h; NULL: none */
	char **sources; /* glob patterns of service files, made absolute against the folder of @file; NULL terminated */
	struct model *model; /* the services written in the file itself; not sealed */
};

void config_free(struct config *c); /* NULL is fine */
static inline void config_freep(struct config **c)
{
	config_free(*c);
}

/* Reads one weft.yaml. 0; or a negative errno with *ret_error set and *ret untouched. Does not read the sources. */
int config_load(const char *file, struct config **ret, struct config_error *ret_error);

/*
 * Reads one service file (top level key "services" only) and adds its services to @m. 0, or negative errno with
 * *ret_error set and @m unchanged. config_parse_services() does the same from memory (@name for messages): the fuzzer's
 * door.
 */
int config_load_services(const char *file, struct model *m, struct config_error *ret_error);
int config_parse_services(const char *name, const char *text, size_t len, struct model *m,
			  struct config_error *ret_error);
int config_parse(const char *name, const char *text, size_t len, struct config **ret, struct config_error *ret_error);

/* Seals @m; names that collide become a config_error naming both places. */
int config_seal(struct model *m, struct config_error *ret_error);

/* Does the registry of each source exist, and know its keys? 0 or -EINVAL with *ret_error. */
int config_check_registries(const struct config *c, const struct model *m, struct config_error *ret_error);

/* Is there something that services without an address can get one of? 0 or -EINVAL with *ret_error. */
int config_check_addresses(const struct config *c, const struct model *m, struct config_error *ret_error);
/* Says why pool_fill() failed for @s with @r, -ENOSPC or -EAFNOSUPPORT; returns @r. */
int config_fail_addresses(int r, const struct service *s, struct config_error *ret_error);

/* Refuses what does not fit @limits. 0 or -E2BIG with *ret_error. */
int config_fits(const struct model *m, const struct config_limits *limits, struct config_error *ret_error);

/* The normal form: every setting written out, sorted; reading it back yields an equal config. For --check -v and golden
 * tests. */
void config_dump(const struct config *c, const struct model *m, FILE *out);

/* Only the services of @m, as a service file, without what they discover. */
void config_dump_services(const struct model *m, FILE *out);

/* "30s" in ms. False: it is no time. */
bool config_duration(const char *text, uint64_t *ret_ms);

/* @pattern against the folder of @file, absolute and without "//" and "/./". 0, -ENOMEM or -ENOENT (no current folder).
 */
int config_absolute(const char *file, const char *pattern, char **ret);

#endif
