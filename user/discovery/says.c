/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What providers say besides what they found: signs of life, failures, oddities. Each failure is logged once. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/inside.h"

#define SECRET_MOST (64 * 1024)
#define SAID_NS	    10000000000ull
#define SAID_MOST   5

/* How many bytes of UTF-8 begin at @at; 0: none that are right. */
static size_t utf8_length(const unsigned char *at)
{
	size_t nr = *at < 0x80			? 1
		    : *at >= 0xc2 && *at < 0xe0 ? 2
		    : (*at & 0xf0) == 0xe0	? 3
		    : *at >= 0xf0 && *at < 0xf5 ? 4
						: 0;

	for (size_t i = 1; i < nr; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
	    (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return nr;
}

/* Sentences hold words of servers, which must not begin a line of their own in the log, nor break what is written as
 * JSON. */
static __attribute__((format(printf, 3, 0))) void word(char *text, size_t len, const char *fmt, va_list ap)
{
	unsigned char *at = (unsigned char *)text;

	vsnprintf(text, len, fmt, ap);
	while (*at) {
		size_t nr = utf8_length(at);

		if (!nr || *at < ' ' || *at == 0x7f) {
			*at = '?';
			nr = 1;
		}
		at += nr;
	}
}

void registry_heard(struct registry *r)
{
	r->seen.heard_ns = discovery_now_ns();
	if (!r->failing)
		return;
	r->failing = false;
	*r->error = '\0';
	log_msg(LOG_L_INFO, "registry %s answers again", r->name);
}

void registry_failed(struct registry *r, const char *fmt, ...)
{
	char text[sizeof(r->error)];
	va_list ap;

	va_start(ap, fmt);
	word(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->seen.failures++;
	if (!r->failing || strcmp(r->error, text))
		log_msg(LOG_L_WARNING, "registry %s: %s; keeping what is known", r->name, text);
	r->failing = true;
	memcpy(r->error, text, sizeof(text));
}

/* When a server goes, a thousand services say so at once: a few stand for all. */
static bool may_say(struct registry_core *g)
{
	uint64_t now = discovery_now_ns();

	if (now - g->said_ns > SAID_NS) {
		g->said_ns = now;
		g->said = 0;
	}
	return g->said++ < SAID_MOST;
}

void lookup_failed(struct lookup *l, const char *fmt, ...)
{
	char text[sizeof(l->error)];
	va_list ap;

	va_start(ap, fmt);
	word(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->registry->seen.failures++;
	if (!l->failing || strcmp(l->error, text))
		log_msg(may_say(l->registry->core) ? LOG_L_WARNING : LOG_L_DEBUG,
			"registry %s, service %s: %s; keeping what is known", l->registry->name, l->service, text);
	l->failing = true;
	memcpy(l->error, text, sizeof(text));
}

void registry_odd(struct registry *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	word(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->seen.odd++;
	log_msg(LOG_L_DEBUG, "registry %s: %s", r->name, text);
}

void lookup_odd(struct lookup *l, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	word(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->registry->seen.odd++;
	log_msg(LOG_L_DEBUG, "registry %s, service %s: %s", l->registry->name, l->service, text);
}

char *secret_read(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return NULL;
	text = malloc(SECRET_MOST + 1);
	if (!text)
		return NULL;
	while ((n = read(fd, text + len, SECRET_MOST + 1 - len)) > 0) {
		len += (size_t)n;
		if (len > SECRET_MOST) {
			errno = EFBIG;
			return NULL;
		}
	}
	if (n < 0)
		return NULL;
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	text[len] = '\0';
	return MOVE(text, NULL);
}

void announcement_failed(struct announcement *a, const char *fmt, ...)
{
	char text[sizeof(a->error)];
	va_list ap;

	va_start(ap, fmt);
	word(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->registry->seen.failures++;
	if (!a->failing || strcmp(a->error, text))
		log_msg(LOG_L_WARNING, "registry %s, registering %s: %s", a->registry->name, a->service, text);
	a->failing = true;
	memcpy(a->error, text, sizeof(text));
}
