/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries that services need: one for each set of servers, whatever the order in which they are written. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_inside.h"

const char *import_registry(struct import *x, const char *type, const char *word, const char *key, const char *text)
{
	struct import_registry *more, g = { .type = type };
	unsigned nr = 1;

	for (size_t i = 0; i < x->nr_registries; i++) {
		if (strcmp(x->registries[i].type, type))
			continue;
		if (!strcmp(x->registries[i].key, key))
			return x->registries[i].name;
		nr++;
	}
	more = reallocarray(x->registries, x->nr_registries + 1, sizeof(*more));
	if (!more)
		return NULL;
	x->registries = more;
	if (asprintf(&g.name, nr > 1 ? "%s-%u" : "%s", word, nr) < 0)
		g.name = NULL;
	g.key = strdup(key);
	g.text = strdup(text);
	more[x->nr_registries++] = g; /* freed with the others, whatever is missing */
	return g.key && g.text ? g.name : NULL;
}

struct hosts {
	const char *at[64]; /* "host:port", without the path */
	size_t nr;
	char *copy; /* that they are in */
	char *chroot;
};

static void hosts_done(struct hosts *h)
{
	free(h->copy);
	free(h->chroot);
}

static int add_chroot(struct import *x, const struct node *n, const char *key, const char *path, struct hosts *h)
{
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	if (!len)
		return 0;
	if (h->chroot && (strlen(h->chroot) != len || strncmp(h->chroot, path, len)))
		return import_fail(x, n, key, "hosts with different paths at their ends");
	if (!h->chroot)
		h->chroot = strndup(path, len);
	return h->chroot ? 0 : import_fail_memory(x);
}

/* @text is taken apart where it stands. */
static int split_hosts(struct import *x, const struct node *n, const char *key, char *text, struct hosts *h)
{
	char *rest = NULL;

	for (char *host = strtok_r(text, ", \t", &rest); host; host = strtok_r(NULL, ", \t", &rest)) {
		char *slash = strchr(host, '/');
		bool known = false;
		int r = 0;

		if (slash)
			r = add_chroot(x, n, key, slash, h);
		if (r)
			return r;
		if (slash)
			*slash = '\0';
		for (size_t i = 0; i < h->nr; i++)
			known |= !strcmp(h->at[i], host);
		if (known)
			continue;
		if (!*host || h->nr == sizeof(h->at) / sizeof(h->at[0]))
			return import_fail(x, n, key, *host ? "more than 64 hosts" : "a host is empty");
		h->at[h->nr++] = host;
	}
	return 0;
}

static int parse_hosts(struct import *x, const struct node *hosts, const char *key, struct hosts *h)
{
	const struct node *const *items = NULL;
	size_t nr = 0, len = 0;
	FILE *out;
	int r;

	r = import_words(x, hosts, key, &items, &nr);
	if (r)
		return r;
	out = open_memstream(&h->copy, &len);
	if (!out)
		return import_fail_memory(x);
	if (node_is(hosts, NODE_TEXT))
		fputs(hosts->text, out);
	for (size_t i = 0; i < nr; i++)
		fprintf(out, "%s,", items[i]->text);
	if (fclose(out))
		return import_fail_memory(x);
	for (const char *at = h->copy; *at; at++)
		if ((unsigned char)*at < ' ')
			return import_fail(x, hosts, key, "holds a control character");
	r = split_hosts(x, hosts, key, h->copy, h);
	if (!r && !h->nr)
		return import_fail(x, hosts, key, "is %s", hosts ? "empty" : "missing");
	return r;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The port that is meant is 2181 when none is written. */
static bool lacks_port(const char *host)
{
	return !strchr(*host == '[' && strchr(host, ']') ? strchr(host, ']') : host, ':');
}

int import_zookeeper(struct import *x, const struct node *hosts, const char *key, const char **ret)
{
	_cleanup_(hosts_done) struct hosts h = { .nr = 0 };
	_cleanup_(freep) char *same = NULL, *text = NULL;
	size_t same_len = 0, text_len = 0;
	FILE *same_out, *out;
	int r;

	r = parse_hosts(x, hosts, key, &h);
	if (r)
		return r;
	same_out = open_memstream(&same, &same_len);
	out = open_memstream(&text, &text_len);
	if (out) {
		fputs("    servers: [", out);
		for (size_t i = 0; i < h.nr; i++) {
			fputs(i ? ", " : "", out);
			import_put(out, h.at[i]);
		}
		fputs("]\n", out);
		if (h.chroot) {
			fputs("    chroot: ", out);
			import_put(out, h.chroot);
			fputc('\n', out);
		}
		fclose(out);
	}
	qsort(h.at, h.nr, sizeof(h.at[0]), compare_texts);
	if (same_out) {
		for (size_t i = 0; i < h.nr; i++)
			fprintf(same_out, "%s%s,", h.at[i], lacks_port(h.at[i]) ? ":2181" : "");
		fputs(h.chroot ? h.chroot : "", same_out);
		fclose(same_out);
	}
	if (same && text)
		*ret = import_registry(x, "zookeeper", "zk", same, text);
	return same && text && *ret ? 0 : import_fail_memory(x);
}

int import_path(struct import *x, const struct node *n, const char *key, char **ret)
{
	const char *text = NULL;
	char *path, *to;
	int r;

	if (!n)
		return import_fail(x, NULL, key, "is missing");
	r = import_text(x, n, key, &text);
	if (r)
		return r;
	if (*text != '/')
		return import_fail(x, n, key, "must be a path that begins with a slash");
	path = to = strdup(text);
	if (!path)
		return import_fail_memory(x);
	for (const char *from = path; *from; from++)
		if (from[0] != '/' || from[1] != '/')
			*to++ = *from;
	*to = '\0';
	if (to > path + 1 && to[-1] == '/')
		to[-1] = '\0';
	*ret = path;
	return 0;
}

/* "10.0.0.2", "10.0.0.2:5353", "[fd00::2]:5353". */
static bool is_nameserver(const char *text)
{
	struct weft_addr addr;
	uint16_t port;

	return addr_parse(text, &addr) == 0 || addr_port_parse(text, &addr, &port) == 0;
}

int import_dns(struct import *x, const struct node *nameserver, const char *key, const char **ret)
{
	const struct node *const *items = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t nr = 0, len = 0, written = 0;
	FILE *out;
	int r;

	r = import_words(x, nameserver, key, &items, &nr);
	if (r)
		return r;
	if (node_is(nameserver, NODE_TEXT)) {
		items = &nameserver;
		nr = 1;
	}
	out = open_memstream(&text, &len);
	if (!out)
		return import_fail_memory(x);
	for (size_t i = 0; i < nr; i++) {
		struct quoted q;

		if (!is_nameserver(items[i]->text)) {
			import_remark(x, IMPORT_CHANGE, items[i], key,
				      "%s is no address, as those of name servers must be; left out",
				      quote(items[i]->text, &q));
			continue;
		}
		fputs(written++ ? ", " : "    servers: [", out);
		import_put(out, items[i]->text);
	}
	fputs(written ? "]\n" : "", out);
	if (fclose(out))
		return import_fail_memory(x);
	*ret = import_registry(x, "dns", "dns", text, text);
	return *ret ? 0 : import_fail_memory(x);
}
