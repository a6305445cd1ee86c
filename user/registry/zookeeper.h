/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the files of the provider "zookeeper" share. */
#ifndef REGISTRY_ZOOKEEPER_H
#define REGISTRY_ZOOKEEPER_H

#include <zookeeper/zookeeper.h>

#include "discovery/names.h"
#include "discovery/registry.h"
#include "registry/zookeeper_children.h"
#include "registry/zookeeper_decode.h"

#define ZK_BUCKETS 1024

/* A server by name: its addresses are looked up by us, since the library would block. */
struct zk_server {
	struct zk *z;
	char *host; /* as it is written, without brackets */
	uint16_t port;
	struct name_want *want; /* NULL: @host is an address */
	struct weft_addr *addrs;
	size_t nr_addrs;
};

struct zk {
	struct registry r;

	/* ---- zookeeper_servers.c ---- */
	struct zk_server *servers;
	size_t nr_servers;
	struct names *names; /* NULL: no server has a name */
	char *chroot;	     /* "/a", or "" */

	/* ---- zookeeper_session.c ---- */
	zhandle_t *handle;
	struct zk_poll *poll;
	uv_timer_t timer; /* until the library, or the next try, wants its turn */
	int fd;		  /* of the library; -1: none */
	unsigned idle;	  /* times in a row that it was ready and the library took nothing from it */
	int64_t session;  /* the last one; 0: none yet */
	uint32_t session_ms;
	struct backoff backoff;
	bool connected, inside; /* inside: the library runs, and calls us */
	bool over;		/* the session is; begin another one */
	uint64_t lost_ms;	/* when the connection was, or the first try was made */
	unsigned handles;	/* ours, of libuv, that are not closed yet */
	bool closing, leave;
	struct zk_ticket *tickets;

	struct zk_lookup *lookups[ZK_BUCKETS]; /* by id */
	struct zk_announcement *announcements;
	uint64_t last_id;
	struct pace pace;

	/* ---- zookeeper_doomed.c ---- */
	struct zk_doomed *doomed;
	uv_timer_t doomed_timer;
};

/* ---- zookeeper_servers.c ---- */

/* 0; -ENOMEM; -EINVAL with registry_failed() said. */
int zk_servers_parse(struct zk *z);
void zk_servers_follow(struct zk *z); /* begins to look up names */
void zk_servers_close(struct zk *z);
/* "10.0.0.1:2181,[fd00::1]:2181/chroot" for the library; free() it. NULL: no address is known yet, or no memory. */
char *zk_servers_list(const struct zk *z);
/* As the file has it; free() it. */
char *zk_servers_text(const struct zk *z);

/* ---- zookeeper_session.c ---- */

void zk_session_open(struct zk *z);
/* Without @leave the session is ended, and what is ephemeral goes with it. */
void zk_session_close(struct zk *z, bool leave);
/* The addresses of the servers are others. */
void zk_session_servers(struct zk *z);
/* Something was asked: the library wants to know whether it may write. Call it after a bunch of questions. */
void zk_pump(struct zk *z);
/* Counts down one handle of libuv; the last one ends the registry. */
void zk_handle_closed(struct zk *z);

/*
 * Goes with a question as its data, since who asked may be gone when the answer comes. Whoever gets the answer takes
 * it out, finds the asker by its id, and frees it.
 */
struct zk_ticket {
	struct zk_ticket *next, *prev;
	struct zk *z;
	uint64_t asker;
	unsigned round; /* the asker's own count, so that it knows an old answer */
	char name[];	/* of the child, or the path */
};
struct zk_ticket *zk_ticket(struct zk *z, uint64_t asker, unsigned round, const char *name); /* NULL: no memory */
void zk_ticket_done(struct zk_ticket *t);						     /* NULL is fine */
static inline void zk_ticket_donep(struct zk_ticket **t)
{
	zk_ticket_done(*t);
}
/* The connection, not the question, is at fault: ask again when there is another one. */
bool zk_is_loss(int rc);
const char *zk_error(int rc); /* one clause */

/* ---- zookeeper_watch.c ---- */

struct zk_lookup {
	struct lookup l;
	struct zk_lookup *next;
	uint64_t id;
	const char *path, *settings_path; /* settings_path: NULL: none is read */
	struct zk_how how;
	bool leader;
	uint32_t jitter_ms;

	uv_timer_t timer;	/* until the next step */
	uv_timer_t audit_timer; /* until it is asked whether a watch was lost */
	bool want_list, listing;
	bool want_settings, reading_settings;
	bool want_publish;
	unsigned round; /* of listing */
	int64_t pzxid;	/* of the last list: the change of children it knows of */
	struct zk_children children;
	size_t reading; /* contents that are asked for */
	struct zk_settings settings;
	struct backoff backoff;
	bool stopping;
	unsigned handles;
};
int zk_start(struct lookup *l);
void zk_stop(struct lookup *l);
void zk_lookup_connected(struct zk_lookup *l);

/* ---- zookeeper_register.c ---- */

struct zk_announcement {
	struct announcement a;
	struct zk_announcement *next;
	uint64_t id;
	char host[ADDR_TEXT_LEN];
	struct instance own;
	char *parent, *body;
	char *stem; /* what the node's name begins with, or is */
	char *node; /* full path, once it is there */
	bool ephemeral, sequential;
	uint32_t ttl_ms;
	bool swept; /* former ones of ours were looked for in this session */
	bool parents_made;
	bool confirmed; /* since the last connect: the node is there */
	unsigned asked; /* questions under way; nothing else is begun meanwhile */
	unsigned round;
	uv_timer_t timer, ttl_timer;
	unsigned handles;
	struct backoff backoff;
	bool leaving;
};
int zk_announce(struct announcement *a);
void zk_announce_changed(struct announcement *a);
void zk_announce_withdraw(struct announcement *a);
void zk_announcement_connected(struct zk_announcement *a, bool new_session);

/* For zookeeper_sweep.c. The asker counts one question less. */
struct zk_announcement *zk_announcement_asker(const struct zk_ticket *t);
struct zk_ticket *zk_announcement_ticket(struct zk_announcement *a, const char *name);
void zk_announcement_failed(struct zk_announcement *a, const char *what, const char *path, int rc);
void zk_announcement_step(struct zk_announcement *a);

/* ---- zookeeper_sweep.c ---- */
void zk_announcement_sweep(struct zk_announcement *a);

/* ---- zookeeper_doomed.c ---- */

/* Deletes @path when that can be done, unless an announcement has it as its own by then. Takes @path. */
void zk_doom(struct zk *z, char *path, uint32_t after_ms);
void zk_doomed_connected(struct zk *z);
void zk_doomed_open(struct zk *z);
void zk_doomed_flush(struct zk *z); /* now, as far as that can be */
void zk_doomed_close(struct zk *z); /* when the session is over */

#endif
