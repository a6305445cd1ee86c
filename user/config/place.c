/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where this node is: its zone, and the network links that failover works on. */
#include <stdlib.h>
#include <string.h>

#include "config/error.h"
#include "config/scalar.h"
#include "config/settings.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

int settings_read_zone(struct reader *rd, void *into)
{
	return scalar_plain_text(rd, CONFIG_ZONE_MAX, &((struct config *)into)->zone);
}

struct patterns {
	char **list; /* NULL terminated */
	size_t nr;
};

/* A link is named by up to 15 bytes without blanks and slashes. */
static int read_pattern(struct reader *rd, void *into)
{
	struct patterns *p = into;
	const char *text;
	struct quoted q;
	char **more;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (strchr(text, '/'))
		return reader_fail(rd, "must be a pattern of names of network links such as \"eth*\", not %s",
				   quote(text, &q));
	if (p->nr == CONFIG_LINKS_MAX)
		return reader_fail(rd, "at most %d patterns are read", CONFIG_LINKS_MAX);
	more = reallocarray(p->list, p->nr + 2, sizeof(*more));
	if (!more)
		return reader_fail_memory(rd);
	p->list = more;
	more[p->nr] = more[p->nr + 1] = NULL;
	r = scalar_plain_text(rd, CONFIG_LINK_LEN, &more[p->nr]);
	if (!r)
		p->nr++;
	return r;
}

/* The list is there as soon as its key is: an empty one is not the default. */
static int read_patterns(struct reader *rd, char ***ret)
{
	struct patterns p = { .list = calloc(1, sizeof(char *)) };
	int r;

	if (!p.list)
		return reader_fail_memory(rd);
	r = reader_list(rd, read_pattern, &p);
	*ret = p.list;
	return r;
}

static int read_include(struct reader *rd, void *into)
{
	return read_patterns(rd, &((struct config *)into)->links_include);
}

static int read_exclude(struct reader *rd, void *into)
{
	return read_patterns(rd, &((struct config *)into)->links_exclude);
}

int settings_read_interfaces(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "include", read_include },
		{ "exclude", read_exclude },
	};

	return reader_mapping(rd, fields, NR(fields), into);
}
