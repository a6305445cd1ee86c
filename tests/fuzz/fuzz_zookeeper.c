/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fuzzes what nodes in ZooKeeper may be called and hold: lines of NAME, a tab, and content are the children of a path,
 * the first byte says how they are read; the first line is what the path itself holds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper_children.h"

#define MOST 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct found *f)
{
	for (size_t i = 0; i < f->nr; i++)
		if (!f->at[i].endpoint.port ||
		    (!f->at[i].host && weft_addr_equal(&f->at[i].endpoint.addr, &(struct weft_addr){ 0 })))
			abort();
	zk_keep_leader(f);
	if (f->nr > 1)
		abort();
	found_done(f);
}

static void read_all(char *const *names, char *const *texts, size_t nr, const struct zk_how *how)
{
	struct zk_children c = { 0 };
	struct found f = { 0 };
	struct zk_child *child;
	size_t odd;

	if (zk_children_set(&c, names, nr))
		return;
	while ((child = zk_children_next_wanted(&c))) {
		const char *text = "";

		for (size_t i = 0; i < nr; i++)
			if (!strcmp(names[i], child->name))
				text = texts[i];
		if (zk_child_read(&c, child, text, strlen(text)))
			break;
	}
	if (zk_children_found(&c, how, &f, &odd) == 0 && f.nr + odd != c.nr)
		abort();
	check(&f);
	zk_children_set(&c, names, nr / 2);
	zk_children_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct instance own = { .host = "10.0.0.1", .port = 80, .name = "i" };
	_cleanup_(freep) char *text = malloc(size + 1);
	char *names[MOST], *texts[MOST], *save, *line;
	struct zk_settings settings;
	struct zk_how how = { ZK_NERVE, NULL };
	size_t nr = 0;

	if (!size || !text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] & 1)
		how.decode = ZK_SERVERSET;
	if (data[0] & 2)
		how.endpoint_name = "http";
	line = strtok_r(text, "\n", &save);
	if (line && zk_read_settings(line, strlen(line), &settings) && settings.port)
		abort();
	while ((line = strtok_r(NULL, "\n", &save)) && nr < MOST) {
		char *tab = strchr(line, '\t');

		if (tab)
			*tab = '\0';
		names[nr] = line;
		texts[nr++] = tab ? tab + 1 : line;
		zk_is_own(line, texts[nr - 1], strlen(texts[nr - 1]), &own);
	}
	read_all(names, texts, nr, &how);
	return 0;
}
