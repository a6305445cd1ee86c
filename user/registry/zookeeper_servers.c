/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The servers, as addresses: ZooKeeper's library looks names up with getaddrinfo(), which would stop the agent's loop,
 * so that it never gets to see a name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper.h"

#define PORT 2181

/* "host", "host:port", "10.0.0.1:port", "[fd00::1]:port", "fd00::1". */
static int parse_server(const char *text, struct zk_server *ret)
{
	const char *end = *text == '[' ? strchr(text, ']') : NULL, *colon = end ? end + 1 : strrchr(text, ':');
	struct weft_addr addr;
	unsigned long port = PORT;
	char *rest;

	if (*text == '[' && (!end || (end[1] && end[1] != ':')))
		return -EINVAL;
	if (!end && addr_parse(text, &addr) == 0)
		colon = NULL; /* an IPv6 address without a port */
	if (colon && *colon) {
		port = strtoul(colon + 1, &rest, 10);
		if (colon[1] < '0' || colon[1] > '9' || *rest || !port || port > 65535)
			return -EINVAL;
	}
	ret->port = (uint16_t)port;
	ret->host = end ? strndup(text + 1, (size_t)(end - text) - 1)
			: strndup(text, colon ? (size_t)(colon - text) : strlen(text));
	return ret->host ? 0 : -ENOMEM;
}

static int set_addrs(struct zk_server *s, const struct weft_addr *addrs, size_t nr)
{
	struct weft_addr *copy = reallocarray(NULL, nr, sizeof(*addrs));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, addrs, nr * sizeof(*addrs));
	free(s->addrs);
	s->addrs = copy;
	s->nr_addrs = nr;
	return 0;
}

static void on_addrs(void *ctx, const struct weft_addr *addrs, size_t nr)
{
	struct zk_server *s = ctx;

	if (!nr) { /* those that were known may still be right */
		registry_failed(&s->z->r, "there is no address for %s", s->host);
		return;
	}
	if (set_addrs(s, addrs, nr) == 0)
		zk_session_servers(s->z);
}

static void free_servers(struct zk *z)
{
	for (size_t i = 0; z->servers && i < z->nr_servers; i++) {
		names_forget(z->servers[i].want);
		free(z->servers[i].host);
		free(z->servers[i].addrs);
	}
	free(z->servers);
	free(z->chroot);
}

static int parse(struct zk *z)
{
	char *const *list = options_list(z->r.options, "servers");
	const char *chroot = options_text(z->r.options, "chroot", "");
	size_t len = strlen(chroot);

	while (list[z->nr_servers])
		z->nr_servers++;
	z->servers = calloc(z->nr_servers ? z->nr_servers : 1, sizeof(*z->servers));
	while (len && chroot[len - 1] == '/')
		len--;
	z->chroot = strndup(chroot, len);
	if (!z->servers || !z->chroot)
		return -ENOMEM;
	if (len && *chroot != '/') {
		registry_failed(&z->r, "chroot '%s' is no path: write '/%s'", chroot, chroot);
		return -EINVAL;
	}
	for (size_t i = 0; i < z->nr_servers; i++) {
		int r = parse_server(list[i], &z->servers[i]);

		z->servers[i].z = z;
		if (r == -EINVAL)
			registry_failed(&z->r, "'%s' is no server: write HOST:PORT", list[i]);
		if (r)
			return r;
	}
	return 0;
}

int zk_servers_parse(struct zk *z)
{
	int r = parse(z);

	if (r)
		free_servers(z);
	return r;
}

static int follow(struct zk *z, struct zk_server *s)
{
	struct weft_addr addr;
	int r;

	if (addr_parse(s->host, &addr) == 0)
		return set_addrs(s, &addr, 1);
	if (!z->names) {
		r = names_new(z->r.loop, &z->names);
		if (r)
			return r;
	}
	return names_want(z->names, s->host, on_addrs, s, &s->want);
}

void zk_servers_follow(struct zk *z)
{
	for (size_t i = 0; i < z->nr_servers; i++)
		if (follow(z, &z->servers[i]))
			registry_failed(&z->r, "there is no address for %s", z->servers[i].host);
}

static void on_names_closed(void *ctx)
{
	zk_handle_closed(ctx);
}

void zk_servers_close(struct zk *z)
{
	free_servers(z);
	if (!z->names)
		return;
	z->handles++;
	names_free(z->names, on_names_closed, z);
}

char *zk_servers_list(const struct zk *z)
{
	char *text = NULL, at[ADDR_TEXT_LEN];
	size_t len, nr = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < z->nr_servers; i++)
		for (size_t k = 0; k < z->servers[i].nr_addrs; k++)
			fprintf(f, "%s%s", nr++ ? "," : "",
				addr_port_format(&z->servers[i].addrs[k], z->servers[i].port, at, sizeof(at)));
	fputs(z->chroot, f);
	if (fclose(f) || !nr) {
		free(text);
		return NULL;
	}
	return text;
}

char *zk_servers_text(const struct zk *z)
{
	char *const *list = options_list(z->r.options, "servers");
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; list[i]; i++)
		fprintf(f, "%s%s", i ? ", " : "", list[i]);
	return fclose(f) ? NULL : text;
}
