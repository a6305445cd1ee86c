/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/responder.h"
#include "dns/responder_tcp.h"

#define CHUNK	      (64 * 1024) /* libuv takes that much for each datagram of a batch */
#define BATCH	      8
#define RECEIVE_BYTES (1024 * 1024)

/* A socket that could not be opened has to close before the next try, without the responder: so each try is an object.
 */
struct sockets {
	struct responder *responder; /* NULL: given up */
	uv_udp_t udp;
	struct tcp_side tcp;
	unsigned handles;
};

struct responder {
	uv_loop_t *loop;
	struct sockaddr_storage addr;
	char *suffix;
	struct reply_options options;
	struct zone *zone;    /* NULL: none yet */
	uint64_t stamp;	      /* of what zone was made of */
	struct sockets *open; /* NULL: not listening */
	struct responder_seen seen;
	uint8_t *in; /* BATCH chunks */
	uint8_t out[DNS_MESSAGE_MAX];
	uv_timer_t end;	  /* so that closing is never told from within */
	unsigned waiting; /* sockets that close */
	bool closing, end_closed;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static void may_end(struct responder *r)
{
	if (!r->closing || r->waiting || !r->end_closed)
		return;
	if (r->closed)
		r->closed(r->closed_ctx);
	zone_free(r->zone);
	free(r->suffix);
	free(r->in);
	free(r);
}

static void on_handle_closed(void *ctx)
{
	struct sockets *s = ctx;
	struct responder *r = s->responder;

	if (s->handles || r->open == s)
		return;
	free(s);
	r->waiting--;
	may_end(r);
}

static void on_udp_closed(uv_handle_t *handle)
{
	struct sockets *s = handle->data;

	s->handles--;
	on_handle_closed(s);
}

/* ---- questions ---- */

static size_t reply(struct responder *r, bool tcp, const uint8_t *query, size_t len, uint8_t *out)
{
	struct reply_options o = r->options;
	enum reply_kind kind;
	size_t n;

	o.tcp = tcp;
	n = reply_to(r->zone, &o, query, len, out, &kind);
	r->seen.replies[kind]++;
	return n;
}

static size_t reply_tcp(void *ctx, const uint8_t *query, size_t len, uint8_t *out)
{
	struct responder *r = ((struct sockets *)ctx)->responder;

	r->seen.tcp++;
	return reply(r, true, query, len, out);
}

static void on_buffer(uv_handle_t *handle, size_t hint, uv_buf_t *ret)
{
	*ret = uv_buf_init((char *)((struct sockets *)handle->data)->responder->in, BATCH * CHUNK);
}

static void on_datagram(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	struct responder *r = ((struct sockets *)udp->data)->responder;
	uv_buf_t out;
	size_t n;

	if (nread <= 0 || !from || (flags & UV_UDP_PARTIAL))
		return;
	r->seen.udp++;
	n = reply(r, false, (const uint8_t *)buf->base, (size_t)nread, r->out);
	if (!n)
		return;
	out = uv_buf_init((char *)r->out, (unsigned)n);
	if (uv_udp_try_send(udp, &out, 1, from) < 0)
		r->seen.lost++; /* the asker asks again */
}

/* ---- sockets ---- */

static int listen_udp(struct responder *r, struct sockets *s)
{
	const struct sockaddr *addr = (const struct sockaddr *)&r->addr;
	int bytes = RECEIVE_BYTES, e;

	e = uv_udp_init_ex(r->loop, &s->udp, UV_UDP_RECVMMSG | (unsigned)addr->sa_family);
	if (e)
		return e;
	s->udp.data = s;
	s->handles++;
	e = uv_udp_bind(&s->udp, addr, 0);
	if (!e)
		e = uv_udp_recv_start(&s->udp, on_buffer, on_datagram);
	if (e)
		uv_close((uv_handle_t *)&s->udp, on_udp_closed);
	else
		uv_recv_buffer_size((uv_handle_t *)&s->udp, &bytes);
	return e;
}

int responder_listen(struct responder *r)
{
	struct sockets *s;
	int e;

	if (r->open || r->closing)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->responder = r;
	s->tcp.reply = reply_tcp;
	s->tcp.closed = on_handle_closed;
	s->tcp.ctx = s;
	s->tcp.handles = &s->handles;
	e = tcp_side_listen(&s->tcp, r->loop, (const struct sockaddr *)&r->addr);
	if (!e) {
		e = listen_udp(r, s);
		if (e)
			tcp_side_close(&s->tcp);
	}
	if (e)
		r->waiting++;
	else
		r->open = s;
	return e;
}

/* ---- the whole ---- */

static void set_addr(struct responder *r, const struct weft_addr *addr, uint16_t port)
{
	if (weft_addr_is_v4(addr)) {
		struct sockaddr_in *in = (struct sockaddr_in *)&r->addr;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = weft_addr_word(addr, 3);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&r->addr;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, addr, sizeof(*addr));
	}
}

int responder_new(const struct responder_options *o, struct responder **ret)
{
	struct responder *r;
	struct dns_name name;

	if (dns_name_parse(o->suffix, &name) || name.len <= 1)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->loop = o->loop;
	r->suffix = strdup(o->suffix);
	r->in = malloc((size_t)BATCH * CHUNK);
	if (!r->suffix || !r->in) {
		free(r->suffix);
		free(r->in);
		free(r);
		return -ENOMEM;
	}
	set_addr(r, &o->addr, o->port);
	r->options.ttl = (o->ttl_ms + 999) / 1000;
	uv_timer_init(r->loop, &r->end);
	r->end.data = r;
	*ret = r;
	return 0;
}

static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * 1099511628211ull;
	return h;
}

/* All that the zone is made of. */
static uint64_t stamp_of(const struct model *m)
{
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < m->nr; i++) {
		const struct service *s = m->services[i];

		h = mix(h, s->name, strlen(s->name) + 1);
		for (size_t k = 0; k < s->nr_frontends; k++)
			h = mix(h, &s->frontends[k].addr, sizeof(s->frontends[k].addr));
	}
	return h;
}

int responder_set(struct responder *r, const struct model *m)
{
	uint64_t stamp = stamp_of(m);
	struct zone *zone;
	int e;

	if (r->zone && stamp == r->stamp)
		return 0;
	e = zone_new(r->suffix, m, &zone);
	if (e)
		return e;
	zone_free(r->zone);
	r->zone = zone;
	r->stamp = stamp;
	r->options.serial++;
	r->seen.names = zone_count(zone);
	r->seen.left_out = zone_left_out(zone);
	return 0;
}

static void on_end_closed(uv_handle_t *handle)
{
	struct responder *r = handle->data;

	r->end_closed = true;
	may_end(r);
}

void responder_free(struct responder *r, void (*closed)(void *ctx), void *ctx)
{
	struct sockets *s = MOVE(r->open, NULL);

	r->closing = true;
	r->closed = closed;
	r->closed_ctx = ctx;
	uv_close((uv_handle_t *)&r->end, on_end_closed);
	if (!s)
		return;
	r->waiting++;
	tcp_side_close(&s->tcp);
	uv_close((uv_handle_t *)&s->udp, on_udp_closed);
}

const struct responder_seen *responder_seen(const struct responder *r)
{
	return &r->seen;
}
