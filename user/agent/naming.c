/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/naming.h"
#include "agent/privs.h"
#include "base/cleanup.h"
#include "base/log.h"

#define RETRY_MS 5000

struct naming {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct responder *responder; /* NULL: off */
	struct names_config config;  /* of the responder; suffix is a copy */
	size_t left_out;	     /* as it was last said */
	bool complained;
};

static const char *where(const struct naming *n, char *text, size_t len)
{
	return addr_port_format(&n->config.addr, n->config.port, text, len);
}

static void on_timer(uv_timer_t *timer);

/* A port below 1024 can be had at the start only: afterwards the right to it is given up. */
static void try_listen(struct naming *n)
{
	char text[ADDR_TEXT_LEN];
	int r;

	privs_enter();
	r = responder_listen(n->responder);
	privs_leave();
	if (r == 0) {
		if (n->complained)
			log_msg(LOG_L_INFO, "answering names of services on %s now", where(n, text, sizeof(text)));
		n->complained = false;
		return;
	}
	if (!n->complained)
		log_err(r, "cannot listen on %s for names of services; trying again every %u s",
			where(n, text, sizeof(text)), RETRY_MS / 1000);
	n->complained = true;
	uv_timer_start(&n->timer, on_timer, RETRY_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct naming *n = timer->data;

	if (n->responder)
		try_listen(n);
}

int naming_new(uv_loop_t *loop, struct naming **ret)
{
	struct naming *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->loop = loop;
	uv_timer_init(loop, &n->timer);
	n->timer.data = n;
	*ret = n;
	return 0;
}

static bool is_same(const struct names_config *a, const struct names_config *b)
{
	return a->port == b->port && a->ttl_ms == b->ttl_ms && weft_addr_equal(&a->addr, &b->addr) &&
	       !strcmp(a->suffix, b->suffix);
}

static void close_responder(struct naming *n)
{
	uv_timer_stop(&n->timer);
	if (n->responder)
		responder_free(MOVE(n->responder, NULL), NULL, NULL);
	free(MOVE(n->config.suffix, NULL));
	n->complained = false;
	n->left_out = 0;
}

/* 0 or -ENOMEM. */
static int open_responder(struct naming *n, const struct names_config *c)
{
	struct responder_options o = { .loop = n->loop, .addr = c->addr, .port = c->port, .ttl_ms = c->ttl_ms };
	int r;

	n->config = *c;
	n->config.suffix = strdup(c->suffix);
	o.suffix = n->config.suffix;
	r = o.suffix ? responder_new(&o, &n->responder) : -ENOMEM;
	if (r)
		close_responder(n);
	return r;
}

static void set_model(struct naming *n, const struct model *m)
{
	const struct responder_seen *seen = responder_seen(n->responder);

	if (responder_set(n->responder, m)) {
		log_err(-ENOMEM, "names of services stay as they were");
		return;
	}
	if (seen->left_out && seen->left_out != n->left_out)
		log_msg(LOG_L_WARNING, "%zu services have names that the DNS cannot have, and are not answered for",
			seen->left_out);
	n->left_out = seen->left_out;
}

void naming_apply(struct naming *n, const struct config *c, const struct model *m)
{
	bool fresh = false;
	int r;

	if (n->responder && (!c->names.on || !is_same(&n->config, &c->names)))
		close_responder(n);
	if (!c->names.on)
		return;
	if (!n->responder) {
		r = open_responder(n, &c->names);
		if (r) {
			log_err(r, "cannot answer names of services");
			return;
		}
		fresh = true;
	}
	if (m)
		set_model(n, m);
	if (fresh)
		try_listen(n);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void naming_free(struct naming *n)
{
	if (!n)
		return;
	close_responder(n);
	uv_close((uv_handle_t *)&n->timer, on_timer_closed);
}

const struct responder_seen *naming_seen(const struct naming *n)
{
	return n->responder ? responder_seen(n->responder) : NULL;
}
