/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/responder_tcp.h"

#define CLIENTS_MAX 256
#define IDLE_MS	    10000u
#define BACKLOG	    128
#define QUERY_MAX   4096		 /* bytes; real ones have a few dozen */
#define UNSENT_MAX  (size_t)(256 * 1024) /* of replies: whoever does not read is not read from */

struct tcp_client {
	uv_tcp_t tcp;
	uv_timer_t timer;
	struct tcp_side *side;
	struct tcp_client *next, **back;
	unsigned closing;
	bool paused;
	size_t have;
	uint8_t in[2 + QUERY_MAX];
};

struct tcp_write {
	uv_write_t w;
	struct tcp_client *client;
	uint8_t bytes[];
};

static void on_readable(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void handle_closed(struct tcp_side *t)
{
	--*t->handles;
	t->closed(t->ctx);
}

static void on_client_closed(uv_handle_t *handle)
{
	struct tcp_client *c = handle->data;
	struct tcp_side *t = c->side;

	if (--c->closing == 0)
		free(c);
	handle_closed(t);
}

static void client_close(struct tcp_client *c)
{
	if (c->closing)
		return;
	c->closing = 2;
	*c->back = c->next;
	if (c->next)
		c->next->back = c->back;
	c->side->nr--;
	uv_close((uv_handle_t *)&c->tcp, on_client_closed);
	uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

static void on_idle(uv_timer_t *timer)
{
	client_close(timer->data);
}

static void on_buffer(uv_handle_t *handle, size_t hint, uv_buf_t *ret)
{
	struct tcp_client *c = handle->data;

	*ret = uv_buf_init((char *)c->in + c->have, (unsigned)(sizeof(c->in) - c->have));
}

static void on_written(uv_write_t *w, int status)
{
	struct tcp_write *write = (struct tcp_write *)(void *)w;
	struct tcp_client *c = write->client;

	free(write);
	if (c->closing)
		return;
	if (status < 0) {
		client_close(c);
	} else if (c->paused && uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) == 0) {
		c->paused = false;
		if (uv_read_start((uv_stream_t *)&c->tcp, on_buffer, on_readable))
			client_close(c);
	}
}

/* False: the client is of no use any more. */
static bool send_reply(struct tcp_client *c, size_t len)
{
	struct tcp_write *write = malloc(sizeof(*write) + 2 + len);
	uv_buf_t buf;

	if (!write)
		return false;
	write->client = c;
	dns_put_u16(write->bytes, (uint16_t)len);
	memcpy(write->bytes + 2, c->side->out, len);
	buf = uv_buf_init((char *)write->bytes, (unsigned)(2 + len));
	if (uv_write(&write->w, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0) {
		free(write);
		return false;
	}
	if (!c->paused && uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) > UNSENT_MAX) {
		c->paused = true;
		uv_read_stop((uv_stream_t *)&c->tcp);
	}
	return true;
}

/* Answers what is there as a whole. False: not what a client of ours sends. */
static bool answer_all(struct tcp_client *c)
{
	size_t at = 0, len, reply;

	while (c->have - at >= 2) {
		len = (size_t)c->in[at] << 8 | c->in[at + 1];
		if (len < DNS_HEADER_LEN || len > QUERY_MAX)
			return false;
		if (c->have - at < 2 + len)
			break;
		reply = c->side->reply(c->side->ctx, c->in + at + 2, len, c->side->out);
		if (reply && !send_reply(c, reply))
			return false;
		at += 2 + len;
		uv_timer_start(&c->timer, on_idle, IDLE_MS, 0);
	}
	c->have -= at;
	memmove(c->in, c->in + at, c->have);
	return true;
}

static void on_readable(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct tcp_client *c = stream->data;

	if (nread > 0)
		c->have += (size_t)nread;
	if (nread < 0 || (nread > 0 && !answer_all(c)))
		client_close(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct tcp_side *t = listener->data;
	struct tcp_client *c, *oldest;

	if (status < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return; /* it waits in the backlog, and gives up */
	if (t->nr == CLIENTS_MAX) {
		for (oldest = t->clients; oldest->next;)
			oldest = oldest->next;
		client_close(oldest);
	}
	c->side = t;
	uv_tcp_init(listener->loop, &c->tcp);
	uv_timer_init(listener->loop, &c->timer);
	c->tcp.data = c->timer.data = c;
	*t->handles += 2;
	t->nr++;
	c->next = t->clients;
	c->back = &t->clients;
	if (c->next)
		c->next->back = &c->next;
	t->clients = c;
	uv_timer_start(&c->timer, on_idle, IDLE_MS, 0);
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_buffer, on_readable))
		client_close(c);
}

static void on_listener_closed(uv_handle_t *handle)
{
	handle_closed(handle->data);
}

int tcp_side_listen(struct tcp_side *t, uv_loop_t *loop, const struct sockaddr *addr)
{
	int r;

	uv_tcp_init(loop, &t->listener);
	t->listener.data = t;
	++*t->handles;
	r = uv_tcp_bind(&t->listener, addr, 0);
	if (!r)
		r = uv_listen((uv_stream_t *)&t->listener, BACKLOG, on_connection);
	if (r)
		uv_close((uv_handle_t *)&t->listener, on_listener_closed);
	return r;
}

void tcp_side_close(struct tcp_side *t)
{
	while (t->clients)
		client_close(t->clients);
	uv_close((uv_handle_t *)&t->listener, on_listener_closed);
}
