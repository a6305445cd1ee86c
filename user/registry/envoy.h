/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the files of the provider "envoy" share. */
#ifndef REGISTRY_ENVOY_H
#define REGISTRY_ENVOY_H

#include "discovery/hosts.h"
#include "discovery/registry.h"
#include "discovery/stamp.h"
#include "registry/servers.h"
#include "registry/envoy_cluster.h"
#include "registry/envoy_decode.h"

struct envoy;
struct envoy_file;
struct envoy_name;

/* Somebody who wants the endpoints of a cluster. */
struct envoy_want {
	struct envoy_want *next; /* of those of the same name, or file */
	const char *key;	 /* the resource's name; as long as it is wanted */
	struct envoy_name *name; /* by REST; NULL: */
	struct envoy_file *file;
	void (*answer)(struct envoy_want *w, const json_t *assignment);
	void (*failed)(struct envoy_want *w, const char *why); /* this one alone */
};

/* A resource that is asked for by REST. */
struct envoy_name {
	char *key;
	struct envoy_want *wants;
	struct envoy_question *question;
	bool answered; /* in the answer that is looked at */
	bool missing;  /* the last whole answer had it not */
	bool probed;   /* likewise when it was asked for alone */
	bool asked;    /* the question that runs, or ran last, has it */
};

/* What is asked again and again, and how the server knows what we have. */
struct envoy_question {
	struct envoy *e;
	struct envoy_question *next;	   /* of all */
	struct envoy_question *next_ready; /* of those that wait for their turn */
	bool ready, clusters, probe;
	struct envoy_name **names;
	size_t nr, capacity;
	char *version, *nonce; /* of the last answer that was taken, and of the last one */
	char *error;	       /* why that was not */
	bool whole;	       /* asked without a version: all there is has to be in the answer */
	bool stale;	       /* names came meanwhile */
	uint64_t whole_ms;     /* when that last was so */
	uv_timer_t timer;
	struct http_call *call;
	size_t server;
	bool failing, closing;
	struct backoff backoff;
	bool refused;		    /* as a whole, perhaps since it has several names */
	struct envoy_name *confirm; /* was there when it was asked for alone */
};

/* A file with an answer in it. */
struct envoy_file {
	struct envoy *e;
	struct envoy_file *next;
	char *path, *dir;
	struct envoy_want *wants; /* NULL: clusters */
	uv_timer_t timer;
	struct stamp stamp; /* of what was read, good or bad */
	bool stamped, clusters, closing;
	bool told; /* its writer is done, as far as is known */
	int wd;	   /* of dir; -1: not watched */
	ino_t dir_ino;
	dev_t dir_dev;
	uint64_t bad_ms;  /* since; 0: not */
	uint64_t rest_ms; /* not read before: a storm of writes costs a quarter of the time at most */
};

/* A cluster of CDS. */
struct envoy_entry {
	struct envoy_want want; /* first */
	struct envoy *e;
	char *key;
	char name[WEFT_NAME_LEN]; /* as a service */
	json_t *json;		  /* as it was last taken */
	struct envoy_cluster c;	  /* service NULL: never was usable */
	struct found found;
	struct hosts hosts;
	bool seen;     /* in the answer that is looked at */
	bool answered; /* found is an answer */
	bool settled;  /* likewise, or there is none to be had now */
	bool wanting, held;
};

struct envoy {
	struct registry r;
	struct http_servers servers;
	size_t current;
	struct http_tls tls;
	uint32_t timeout_ms, refresh_ms, backoff_ms;
	const char *node, *cluster; /* who we are */

	struct envoy_question *questions;
	struct envoy_question *ready, **ready_end;
	struct pace pace;
	double reads;	   /* per second */
	size_t nr_failing; /* questions */
	uv_timer_t timer;
	struct envoy_name **names; /* sorted */
	size_t nr_names, names_capacity;
	bool plural;   /* the server has answered several names at once */
	bool one_only; /* it never does */
	size_t nr_alone;
	struct envoy_question *probe;
	struct backoff probing;
	unsigned probes;   /* in a row */
	uint64_t probe_ms; /* not before */

	struct envoy_file *files;
	size_t nr_files;
	uv_poll_t inotify;
	int inotify_fd; /* -1: none */

	struct envoy_entry **entries; /* sorted */
	size_t nr_entries, entries_capacity;
	bool serving; /* whole services are wanted */
	bool synced, believes_empty, said_empty;
	bool taking; /* an answer is being looked at: all is published after it */
	uv_timer_t sync_timer;
	struct names *resolver; /* NULL: no host name yet */

	unsigned handles;
	bool closing;
};

void envoy_handle_closed(struct envoy *e);

/* ---- envoy_want.c ---- */
/* @path: of a file, NULL: by REST. @key is not copied. 0 or -ENOMEM. */
int envoy_want_start(struct envoy *e, struct envoy_want *w, const char *key, const char *path);
void envoy_want_stop(struct envoy *e, struct envoy_want *w);

/* ---- envoy_names.c ---- */
int envoy_names_add(struct envoy *e, struct envoy_want *w);
void envoy_names_remove(struct envoy *e, struct envoy_want *w);
/* 0 or -EBADMSG with a clause in @why: the last state stays of what could not be taken. */
int envoy_names_take(struct envoy_question *q, const struct envoy_answer *a, char *why, size_t why_len);
/* @q was refused as such. True: it may be because it has several names, which is being found out. */
bool envoy_names_refused(struct envoy_question *q);
void envoy_names_done(struct envoy *e);

/* ---- envoy_ask.c ---- */
struct envoy_question *envoy_question_new(struct envoy *e); /* NULL: no memory */
void envoy_question_close(struct envoy_question *q);
int envoy_question_add(struct envoy_question *q, struct envoy_name *n);
void envoy_question_remove(struct envoy_question *q, struct envoy_name *n);
void envoy_ask_whole(struct envoy_question *q); /* soon, and without a version */

/* ---- envoy_file.c ---- */
int envoy_file_add(struct envoy *e, struct envoy_want *w, const char *path); /* NULL: for clusters */
void envoy_file_remove(struct envoy *e, struct envoy_want *w);
void envoy_files_close(struct envoy *e);

/* ---- envoy_inotify.c ---- */
int envoy_inotify_watch(struct envoy *e, const char *dir); /* a number for the folder; -1: it cannot be watched */
void envoy_inotify_close(struct envoy *e);
/* @name: of what something happened to, NULL: not known. @done: it is complete now. */
void envoy_file_moved(struct envoy_file *f, const char *name, bool done);

/* ---- envoy_entries.c ---- */
/* As envoy_names_take(). */
int envoy_entries_take(struct envoy *e, const json_t *resources, char *why, size_t why_len);
void envoy_entries_close(struct envoy *e);

/* ---- envoy_publish.c ---- */
void envoy_entry_found(struct envoy_entry *x, struct found *f); /* takes its contents */
void envoy_entry_settle(struct envoy_entry *x);
void envoy_entry_publish(struct envoy_entry *x);
void envoy_sync(struct envoy *e); /* all that is there, when enough is known */

#endif
