/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "registry/kube_config.h"

struct reading {
	yaml_document_t doc;
	char *error;
	size_t error_len;
};

static int fail(struct reading *rd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct reading *rd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rd->error, rd->error_len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void wipe(char *text, size_t len)
{
	if (text)
		explicit_bzero(text, len);
	free(text);
}

void kube_config_done(struct kube_config *c)
{
	free(c->server);
	free(c->namespace);
	free(c->ca_file);
	free(c->cert_file);
	free(c->key_file);
	free(c->token_file);
	wipe(c->token, c->token ? strlen(c->token) : 0);
	wipe(c->ca.at, c->ca.len);
	wipe(c->cert.at, c->cert.len);
	wipe(c->key.at, c->key.len);
	*c = (struct kube_config){ 0 };
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int kube_base64(const char *text, struct kube_bytes *ret)
{
	_cleanup_(freep) char *bytes = malloc(strlen(text) / 4 * 3 + 4);
	unsigned bits = 0, nr = 0, padding = 0;
	size_t len = 0;

	if (!bytes)
		return -ENOMEM;
	for (; *text; text++) {
		int d = digit(*text);

		if (strchr(" \t\r\n", *text))
			continue;
		if (*text == '=' && nr % 4 >= 2) {
			padding++;
			nr++;
			continue;
		}
		if (d < 0 || padding)
			return -EINVAL;
		bits = bits << 6 | (unsigned)d;
		if (nr++ % 4)
			bytes[len++] = (char)(bits >> (6 - 2 * ((nr - 1) % 4)));
	}
	if (nr % 4)
		return -EINVAL;
	ret->at = MOVE(bytes, NULL);
	ret->len = len;
	return 0;
}

/* The value of @key in mapping @map; NULL: there is none. */
static yaml_node_t *get(struct reading *rd, const yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *k = yaml_document_get_node(&rd->doc, p->key);

		if (k && k->type == YAML_SCALAR_NODE && !strcmp((char *)k->data.scalar.value, key))
			return yaml_document_get_node(&rd->doc, p->value);
	}
	return NULL;
}

/* Text of a scalar; NULL: there is none, or an empty one. */
static const char *word(struct reading *rd, const yaml_node_t *map, const char *key)
{
	yaml_node_t *n = get(rd, map, key);

	if (!n || n->type != YAML_SCALAR_NODE || !n->data.scalar.length ||
	    strlen((char *)n->data.scalar.value) != n->data.scalar.length)
		return NULL;
	return (char *)n->data.scalar.value;
}

/* Element @name of list @list (clusters, users, contexts): its part @what. */
static yaml_node_t *element(struct reading *rd, const char *list, const char *name, const char *what)
{
	yaml_node_t *n = get(rd, yaml_document_get_root_node(&rd->doc), list);

	if (!n || n->type != YAML_SEQUENCE_NODE)
		return NULL;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
		yaml_node_t *e = yaml_document_get_node(&rd->doc, *i);
		const char *is = word(rd, e, "name");

		if (is && !strcmp(is, name))
			return get(rd, e, what);
	}
	return NULL;
}

static int copy(struct reading *rd, const yaml_node_t *map, const char *key, char **ret)
{
	const char *text = word(rd, map, key);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int copy_data(struct reading *rd, const yaml_node_t *map, const char *key, struct kube_bytes *ret)
{
	const char *text = word(rd, map, key);
	int r = text ? kube_base64(text, ret) : 0;

	return r == -EINVAL ? fail(rd, "%s is not base64", key) : r;
}

static int read_cluster(struct reading *rd, const char *name, struct kube_config *c)
{
	yaml_node_t *n = element(rd, "clusters", name, "cluster");
	const char *insecure = word(rd, n, "insecure-skip-tls-verify");
	int r;

	if (!n)
		return fail(rd, "cluster \"%s\" is not in it", name);
	if (word(rd, n, "proxy-url"))
		return fail(rd, "cluster \"%s\" is behind a proxy (proxy-url), which is not supported", name);
	if (word(rd, n, "tls-server-name"))
		return fail(rd,
			    "cluster \"%s\" has another name in its certificate (tls-server-name), which is not "
			    "supported",
			    name);
	c->insecure = insecure && !strcmp(insecure, "true");
	r = copy(rd, n, "server", &c->server);
	if (!r && !c->server)
		r = fail(rd, "cluster \"%s\" has no server", name);
	if (!r)
		r = copy(rd, n, "certificate-authority", &c->ca_file);
	return r ? r : copy_data(rd, n, "certificate-authority-data", &c->ca);
}

static int read_user(struct reading *rd, const char *name, struct kube_config *c)
{
	yaml_node_t *n = element(rd, "users", name, "user");
	int r;

	if (!n)
		return fail(rd, "user \"%s\" is not in it", name);
	if (get(rd, n, "exec"))
		return fail(rd,
			    "user \"%s\" gets credentials from a command (exec), which is not supported; give a token "
			    "file or a client certificate",
			    name);
	if (get(rd, n, "auth-provider") || word(rd, n, "username") || word(rd, n, "as"))
		return fail(rd,
			    "user \"%s\" signs in by auth-provider, password or impersonation, which is not supported; "
			    "give a token file or a client certificate",
			    name);
	r = copy(rd, n, "token", &c->token);
	if (!r)
		r = copy(rd, n, "tokenFile", &c->token_file);
	if (!r)
		r = copy(rd, n, "client-certificate", &c->cert_file);
	if (!r)
		r = copy(rd, n, "client-key", &c->key_file);
	if (!r)
		r = copy_data(rd, n, "client-certificate-data", &c->cert);
	return r ? r : copy_data(rd, n, "client-key-data", &c->key);
}

static int read_context(struct reading *rd, const char *context, struct kube_config *c)
{
	const char *name = context ? context : word(rd, yaml_document_get_root_node(&rd->doc), "current-context");
	const char *cluster, *user;
	yaml_node_t *n;
	int r;

	if (!name)
		return fail(rd, "it has no current-context; write \"context\"");
	n = element(rd, "contexts", name, "context");
	if (!n)
		return fail(rd, "context \"%s\" is not in it", name);
	cluster = word(rd, n, "cluster");
	user = word(rd, n, "user");
	if (!cluster)
		return fail(rd, "context \"%s\" names no cluster", name);
	r = copy(rd, n, "namespace", &c->namespace);
	if (!r)
		r = read_cluster(rd, cluster, c);
	return r || !user ? r : read_user(rd, user, c);
}

int kube_config_parse(const char *text, size_t len, const char *context, struct kube_config *ret, char *error,
		      size_t error_len)
{
	struct reading rd = { .error = error, .error_len = error_len };
	yaml_parser_t parser;
	int r;

	*ret = (struct kube_config){ 0 };
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &rd.doc)) {
		r = fail(&rd, "line %zu: %s", parser.problem_mark.line + 1,
			 parser.problem ? parser.problem : "it is not YAML");
	} else {
		r = read_context(&rd, context, ret);
		yaml_document_delete(&rd.doc);
	}
	yaml_parser_delete(&parser);
	return r;
}
