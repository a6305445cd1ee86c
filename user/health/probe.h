/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One check under way, of whatever type. Inside health/ only. */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include <sys/socket.h>
#include <uv.h>

#include "health/health.h"

struct probe;
struct target;

struct probe_type {
	size_t size; /* of what begins with a struct probe */
	/*
	 * 0: the result will come by probe_done() (or came already). Or negative errno: it could not begin, nothing is
	 * left of it, and the core gives result and memory back.
	 */
	int (*start)(struct probe *p);
	void (*stop)(struct probe *p); /* at once, no result is wanted; ends with probe_free() */
};

/* First in what each type adds. Strings of the check live as long as .service. */
struct probe {
	struct health *health;
	const struct probe_type *type;
	struct target *target; /* NULL: nobody wants to know any more */
	struct service *service;
	const struct health_check *check;
	struct weft_addr addr;
	uint16_t port;	/* that is probed, host order */
	uint16_t named; /* the endpoint's own */
	uint64_t start_ns;
	struct probe *prev, *next;
	bool command; /* its lane */
};

extern const struct probe_type probe_tcp, probe_web, probe_exec;

/* core.c. Once for each probe that began: text in any bytes, the first line counts. The memory stays until
 * probe_free(). */
void probe_done(struct probe *p, bool passed, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void probe_free(struct probe *p);
/* Begins the probe of @t. */
void probe_start(struct health *h, struct target *t);
/* A non-blocking socket that the hook has seen. Negative errno. */
int probe_socket(struct probe *p, int family, int type, int protocol);
uv_loop_t *probe_loop(const struct probe *p);
socklen_t probe_sockaddr(const struct weft_addr *addr, uint16_t port, struct sockaddr_storage *ret);

/* The first line of @text as printable ASCII. Returns @to. */
char *probe_text(const char *text, char *to, size_t len);

struct web;
void web_free(struct web *w);

#endif
