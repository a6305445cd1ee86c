/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A DNS server on the test's own loop that says what it is told to, by UDP and TCP. */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <uv.h>

#include "base/cleanup.h"
#include "dns/responder_tcp.h"
#include "dns_fixture.h"

enum mode {
	MODE_ANSWER,
	MODE_SILENT,
	MODE_GARBAGE,
	MODE_CUT,	     /* half of the answer */
	MODE_OTHER_ID,	     /* somebody else's */
	MODE_TRUNCATED,	     /* by UDP; whole by TCP */
	MODE_TRUNCATED_DEAF, /* likewise, and silent by TCP */
	MODE_NXDOMAIN,
	MODE_SERVFAIL,
	MODE_REFUSED,
	MODE_FORMERR_EDNS, /* an old server: FORMERR while there is EDNS0 */
};

/* One record that is there. */
struct told {
	const char *name;
	uint16_t type;
	uint32_t ttl;
	const char *data; /* address, name, or "priority weight port target" */
};

struct dns_server {
	uv_udp_t udp;
	struct tcp_side tcp;
	unsigned handles;
	bool listening;
	uint16_t port;
	enum mode mode, mode_aaaa; /* of AAAA, when not MODE_ANSWER */
	const char *failing;	   /* names that are answered SERVFAIL; NULL: none */
	struct told told[16];	   /* name NULL: the end */
	uint32_t negative_ttl;	   /* of the SOA; 0: none is sent */
	bool hints;		   /* addresses of targets go with SRV */
	unsigned asked, asked_tcp, asked_edns;
	struct dns_fixture f;
};

static inline void tell_one(struct dns_fixture *f, enum dns_section section, const struct told *t)
{
	unsigned priority, weight, port;
	char target[64];

	if (t->type == DNS_CNAME) {
		given_cname(f, t->name, t->ttl, t->data);
	} else if (t->type == DNS_SRV) {
		ck_assert_int_eq(sscanf(t->data, "%u %u %u %63s", &priority, &weight, &port, target), 4);
		given_srv(f, t->name, t->ttl, (uint16_t)priority, (uint16_t)weight, (uint16_t)port, target);
	} else {
		given_addr(f, section, t->name, t->ttl, t->data);
	}
}

/* What there is of @name and @type, aliases first. How many. */
static inline unsigned tell(struct dns_server *s, const struct dns_name *name, uint16_t type)
{
	struct dns_name n = *name, other;
	unsigned nr = 0;

	for (const struct told *t = s->told; t->name; t++) {
		other = name_of(t->name);
		if (t->type == DNS_CNAME && dns_name_equal(&n, &other)) {
			tell_one(&s->f, DNS_ANSWER, t);
			n = name_of(t->data);
		}
	}
	for (const struct told *t = s->told; t->name; t++) {
		other = name_of(t->name);
		if (t->type == type && dns_name_equal(&n, &other)) {
			tell_one(&s->f, DNS_ANSWER, t);
			nr++;
		}
	}
	for (const struct told *t = s->told; type == DNS_SRV && s->hints && t->name; t++)
		if (t->type == DNS_A || t->type == DNS_AAAA)
			tell_one(&s->f, DNS_ADDITIONAL, t);
	return nr;
}

static inline bool knows(const struct dns_server *s, const struct dns_name *name)
{
	for (const struct told *t = s->told; t->name; t++) {
		struct dns_name other = name_of(t->name);

		if (dns_name_equal(name, &other))
			return true;
	}
	return false;
}

static inline unsigned verdict(const struct dns_server *s, enum mode mode, const struct dns_name *name, bool edns)
{
	char text[DNS_TEXT_LEN];

	if (mode == MODE_NXDOMAIN || (mode == MODE_ANSWER && !knows(s, name)))
		return DNS_NXDOMAIN;
	if (mode == MODE_SERVFAIL || (s->failing && strstr(dns_name_text(name, text, sizeof(text)), s->failing)))
		return DNS_SERVFAIL;
	if (mode == MODE_REFUSED)
		return DNS_REFUSED;
	return mode == MODE_FORMERR_EDNS && edns ? DNS_FORMERR : DNS_NOERROR;
}

static inline size_t serve(struct dns_server *s, bool tcp, const uint8_t *query, size_t len)
{
	struct dns_reader r = { .bytes = query, .len = len };
	char text[DNS_TEXT_LEN];
	struct dns_header h;
	struct dns_record q;
	enum mode mode;
	unsigned rcode;
	bool truncated;

	ck_assert(dns_read_header(&r, &h) == 0 && dns_read_question(&r, &q) == 0);
	mode = q.type == DNS_AAAA && s->mode_aaaa ? s->mode_aaaa : s->mode;
	truncated = mode == MODE_TRUNCATED || mode == MODE_TRUNCATED_DEAF;
	s->asked++;
	s->asked_tcp += tcp;
	s->asked_edns += h.nr[DNS_ADDITIONAL] > 0;
	if (mode == MODE_SILENT || (mode == MODE_TRUNCATED_DEAF && tcp))
		return 0;
	rcode = verdict(s, mode, &q.name, h.nr[DNS_ADDITIONAL] > 0);
	given_message(&s->f, (uint16_t)(DNS_QR | DNS_RD | DNS_RA | rcode | (truncated && !tcp ? DNS_TC : 0)),
		      dns_name_text(&q.name, text, sizeof(text)), q.type);
	dns_put_u16(s->f.bytes, mode == MODE_OTHER_ID ? h.id ^ 1 : h.id);
	if (!(truncated && !tcp) && rcode == DNS_NOERROR && !tell(s, &q.name, q.type) && s->negative_ttl)
		given_soa(&s->f, "x", s->negative_ttl, s->negative_ttl);
	if (rcode == DNS_NXDOMAIN && s->negative_ttl)
		given_soa(&s->f, "x", s->negative_ttl, s->negative_ttl);
	if (mode == MODE_GARBAGE)
		memset(s->f.bytes + DNS_HEADER_LEN, 0xff, s->f.w.at - DNS_HEADER_LEN);
	return mode == MODE_CUT ? s->f.w.at - 3 : s->f.w.at;
}

static inline size_t serve_tcp(void *ctx, const uint8_t *query, size_t len, uint8_t *out)
{
	struct dns_server *s = ctx;
	size_t n = serve(s, true, query, len);

	memcpy(out, s->f.bytes, n);
	return n;
}

static inline void server_buffer(uv_handle_t *handle, size_t hint, uv_buf_t *ret)
{
	static char bytes[65536];

	*ret = uv_buf_init(bytes, sizeof(bytes));
}

static inline void server_datagram(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf, const struct sockaddr *from,
				   unsigned flags)
{
	struct dns_server *s = udp->data;
	uv_buf_t out;
	size_t n;

	if (nread <= 0 || !from)
		return;
	n = serve(s, false, (const uint8_t *)buf->base, (size_t)nread);
	out = uv_buf_init((char *)s->f.bytes, (unsigned)n);
	if (n)
		uv_udp_try_send(udp, &out, 1, from);
}

static inline void server_handle_closed(void *ctx)
{
}

static inline void server_udp_closed(uv_handle_t *handle)
{
	((struct dns_server *)handle->data)->handles--;
}

/* One that nobody has, neither by TCP nor by UDP. */
static inline uint16_t server_free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int r = -1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; r && i < 100; i++) {
		int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);

		addr.sin_port = 0;
		r = bind(tcp, (struct sockaddr *)&addr, len);
		getsockname(tcp, (struct sockaddr *)&addr, &len);
		if (!r)
			r = bind(udp, (struct sockaddr *)&addr, len);
		close(tcp);
		close(udp);
	}
	ck_assert_int_eq(r, 0);
	return ntohs(addr.sin_port);
}

/* On a port of its own, or on the one it had. */
static inline void server_start(struct dns_server *s, uv_loop_t *loop)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	if (!s->port)
		s->port = server_free_port();
	addr.sin_port = htons(s->port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->tcp = (struct tcp_side){
		.reply = serve_tcp, .closed = server_handle_closed, .ctx = s, .handles = &s->handles
	};
	uv_udp_init(loop, &s->udp);
	s->udp.data = s;
	s->handles++;
	ck_assert_int_eq(uv_udp_bind(&s->udp, (struct sockaddr *)&addr, 0), 0);
	ck_assert_int_eq(uv_udp_recv_start(&s->udp, server_buffer, server_datagram), 0);
	ck_assert_int_eq(tcp_side_listen(&s->tcp, loop, (struct sockaddr *)&addr), 0);
	s->listening = true;
}

static inline void server_stop(struct dns_server *s)
{
	if (!s->listening)
		return;
	s->listening = false;
	tcp_side_close(&s->tcp);
	uv_close((uv_handle_t *)&s->udp, server_udp_closed);
}

#endif
