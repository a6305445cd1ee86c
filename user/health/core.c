/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What all probes have in common: how one begins, and what becomes of its result. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "health/inside.h"

char *probe_text(const char *text, char *to, size_t len)
{
	size_t n = 0;

	while (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')
		text++;
	for (; *text && *text != '\n' && *text != '\r' && n + 1 < len; text++)
		to[n++] = *text >= ' ' && *text <= '~' ? *text : *text == '\t' ? ' ' : '?';
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
	return to;
}

socklen_t probe_sockaddr(const struct weft_addr *addr, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (weft_addr_is_v4(addr)) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		in4->sin_addr.s_addr = weft_addr_word(addr, 3);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, addr->byte, sizeof(addr->byte));
	return sizeof(*in6);
}

uv_loop_t *probe_loop(const struct probe *p)
{
	return p->health->loop;
}

int probe_socket(struct probe *p, int family, int type, int protocol)
{
	const struct health_hooks *k = &p->health->hooks;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd == -1)
		return -errno;
	if (k->open_socket)
		k->open_socket(k->ctx, fd, &p->addr, p->port);
	return fd;
}

static void keep_text(struct member *m, const char *text)
{
	if (m->text && strcmp(m->text, text) == 0)
		return;
	free(m->text);
	m->text = strdup(text);
}

static void tell(struct health *h, struct member *m, bool passed, const char *text, uint64_t duration_ns)
{
	const struct health_check *c = &m->subject->applied->check;
	struct health_result r = { .service = m->subject->applied->name, .addr = m->addr, .port = m->port };

	enum health_state was = m->judge.state;

	r.changed = judge_result(&m->judge, passed, c->rise, c->fall);
	r.passed = passed;
	r.healthy = m->judge.state == HEALTH_S_UP;
	r.row = m->judge.row;
	r.text = text;
	m->attempts++;
	m->subject->attempts++;
	m->successes += passed;
	m->subject->successes += passed;
	m->last_unix = health_unix();
	m->duration_ns = duration_ns;
	if (m->judge.state != was)
		m->since_unix = m->last_unix;
	keep_text(m, text);
	if (h->hooks.result)
		h->hooks.result(h->hooks.ctx, &r);
}

/* The next one, counted from when this one was due, so that slow answers do not make checks rarer. */
static void schedule(struct health *h, struct target *t, const struct health_check *c)
{
	uint64_t interval = (uint64_t)c->interval_ms * 1000000, now = uv_hrtime(), next;

	h->random = h->random * 6364136223846793005ull + 1442695040888963407ull;
	if (t->begun == 1)
		next = t->due.ns + schedule_second_ns(interval, h->random);
	else
		next = t->due.ns + schedule_next_ns(interval, c->jitter, h->random);
	heap_add(&target_lane(h, t)->heap, &t->due, next > now ? next : now);
}

void probe_done(struct probe *p, bool passed, const char *fmt, ...)
{
	char raw[4 * HEALTH_TEXT_LEN], text[HEALTH_TEXT_LEN];
	struct health *h = p->health;
	struct target *t = MOVE(p->target, NULL);
	uint64_t duration = uv_hrtime() - p->start_ns;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	probe_text(raw, text, sizeof(text));
	h->lane[p->command].running--;
	if (p->prev)
		p->prev->next = p->next;
	else
		h->probes = p->next;
	if (p->next)
		p->next->prev = p->prev;
	if (t) {
		t->probe = NULL;
		for (struct member *m = t->members; m; m = m->next)
			tell(h, m, passed, text, duration);
		schedule(h, t, &t->owner->check);
	}
	health_arm(h);
}

void probe_free(struct probe *p)
{
	struct health *h = p->health;

	service_unref(p->service);
	free(p);
	health_closed(h);
}

static const struct probe_type *const types[HEALTH_MAX] = {
	[HEALTH_TCP] = &probe_tcp,  [HEALTH_HTTP] = &probe_web,	 [HEALTH_HTTPS] = &probe_web,
	[HEALTH_GRPC] = &probe_web, [HEALTH_EXEC] = &probe_exec,
};

void probe_start(struct health *h, struct target *t)
{
	const struct probe_type *type = types[t->owner->check.type];
	struct probe *p = calloc(1, type->size);
	int r;

	if (t->begun < 2)
		t->begun++;
	if (!p) {
		schedule(h, t, &t->owner->check);
		return;
	}
	p->health = h;
	p->type = type;
	p->target = t;
	p->service = service_ref(t->owner);
	p->check = &p->service->check;
	p->addr = t->addr;
	p->port = t->port;
	p->named = t->members->port;
	p->start_ns = uv_hrtime();
	p->command = t->command;
	p->next = h->probes;
	if (p->next)
		p->next->prev = p;
	h->probes = p;
	h->lane[p->command].running++;
	t->probe = p;
	health_opened(h);
	r = type->start(p);
	if (r == 0)
		return;
	probe_done(p, false, "%s", log_strerror(r));
	probe_free(p);
}
