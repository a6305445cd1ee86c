/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Values of Synapse's and Nerve's files, checked for what they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_inside.h"

int import_text(struct import *x, const struct node *n, const char *key, const char **ret)
{
	if (!node_is(n, NODE_TEXT))
		return import_fail(x, n, key, "must be a word, not %s", node_kind_name(n));
	if (!*n->text)
		return import_fail(x, n, key, "is empty");
	for (const char *at = n->text; *at; at++)
		if ((unsigned char)*at < ' ')
			return import_fail(x, n, key, "holds a control character");
	*ret = n->text;
	return 0;
}

int import_port(struct import *x, const struct node *n, const char *key, unsigned *ret)
{
	const char *text = node_text(n, "");
	struct quoted q;

	*ret = 0;
	if (!n)
		return 0;
	if (*text && strlen(text) <= 5 && strspn(text, "0123456789") == strlen(text))
		*ret = (unsigned)strtoul(text, NULL, 10);
	if (*ret >= 1 && *ret <= 65535)
		return 0;
	return import_fail(x, n, key, "must be a port from 1 to 65535, not %s",
			   n->kind == NODE_TEXT ? quote(text, &q) : node_kind_name(n));
}

int import_words(struct import *x, const struct node *n, const char *key, const struct node *const **ret, size_t *nr)
{
	*ret = NULL;
	*nr = 0;
	if (!n)
		return 0;
	if (n->kind == NODE_MAP)
		return import_fail(x, n, key, "must be a list of words, not a mapping");
	if (n->kind == NODE_LIST && n->nr > IMPORT_LIST_MAX)
		return import_fail(x, n, key, "a list of more than %d", IMPORT_LIST_MAX);
	for (size_t i = 0; n->kind == NODE_LIST && i < n->nr; i++)
		if (n->items[i]->kind != NODE_TEXT)
			return import_fail(x, n->items[i], key, "must be a list of words; one is %s",
					   node_kind_name(n->items[i]));
	*ret = (const struct node *const *)n->items;
	*nr = n->nr;
	return 0;
}

bool import_address(const char *host, struct weft_addr *ret)
{
	char text[64];
	size_t len = strlen(host);

	if (!strcmp(host, "localhost"))
		host = "127.0.0.1";
	if (*host == '[' && len > 2 && len < sizeof(text) && host[len - 1] == ']') {
		snprintf(text, sizeof(text), "%.*s", (int)len - 2, host + 1);
		host = text;
	}
	return addr_parse(host, ret) == 0;
}

int import_name(struct import *x, const char *name, char *ret, size_t len)
{
	bool changed = false;
	struct quoted q;
	size_t i = 0;

	if (!*name)
		return import_fail(x, NULL, "", "a service without a name");
	for (; name[i] && i + 1 < len; i++) {
		ret[i] = name[i];
		if (name[i] <= ' ' || name[i] > '~' || strchr("\"'`\\", name[i])) {
			ret[i] = '-';
			changed = true;
		}
	}
	ret[i] = '\0';
	if (name[i])
		return import_fail(x, NULL, "", "a name of %zu bytes is too long, %zu are the most", strlen(name),
				   len - 1);
	if (changed)
		import_remark(x, IMPORT_CHANGE, NULL, "", "the name %s cannot be one of weft; it becomes %s",
			      quote(name, &q), ret);
	return 0;
}
