/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper_children.h"

static void child_done(struct zk_child *c)
{
	free(c->name);
	free(c->text);
}

void zk_children_done(struct zk_children *c)
{
	for (size_t i = 0; i < c->nr; i++)
		child_done(&c->at[i]);
	free(c->at);
	*c = (struct zk_children){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct zk_child *)a)->name, ((const struct zk_child *)b)->name);
}

static int copy_names(char *const *names, size_t nr, struct zk_children *ret)
{
	ret->at = calloc(nr ? nr : 1, sizeof(*ret->at));
	if (!ret->at)
		return -ENOMEM;
	for (; ret->nr < nr; ret->nr++) {
		ret->at[ret->nr].name = strdup(names[ret->nr]);
		if (!ret->at[ret->nr].name)
			return -ENOMEM;
	}
	if (nr)
		qsort(ret->at, nr, sizeof(*ret->at), by_name);
	return 0;
}

/* A name that holds everything need not be read. */
static enum zk_child_state first_state(const char *name)
{
	size_t len;
	_cleanup_(freep) char *held = zk_name_holds(name, &len);

	return held ? ZK_CHILD_KNOWN : ZK_CHILD_WANTED;
}

int zk_children_set(struct zk_children *c, char *const *names, size_t nr)
{
	struct zk_children fresh = { 0 };
	size_t old = 0;

	if (copy_names(names, nr, &fresh)) {
		zk_children_done(&fresh);
		return -ENOMEM;
	}
	for (size_t i = 0; i < nr; i++) {
		struct zk_child *at = &fresh.at[i];

		while (old < c->nr && strcmp(c->at[old].name, at->name) < 0)
			old++;
		if (old < c->nr && !strcmp(c->at[old].name, at->name)) {
			child_done(at);
			*at = c->at[old];
			c->at[old++] = (struct zk_child){ 0 };
		} else {
			at->state = first_state(at->name);
		}
		fresh.wanted += at->state == ZK_CHILD_WANTED;
	}
	zk_children_done(c); /* those that were not moved */
	*c = fresh;
	return 0;
}

struct zk_child *zk_children_find(const struct zk_children *c, const char *name)
{
	struct zk_child key = { .name = (char *)name };

	return c->nr ? bsearch(&key, c->at, c->nr, sizeof(key), by_name) : NULL;
}

struct zk_child *zk_children_next_wanted(struct zk_children *c)
{
	if (!c->wanted)
		return NULL;
	for (size_t i = 0; i < c->nr; i++) {
		if (c->cursor >= c->nr)
			c->cursor = 0;
		if (c->at[c->cursor].state == ZK_CHILD_WANTED)
			return &c->at[c->cursor];
		c->cursor++;
	}
	return NULL;
}

void zk_child_state(struct zk_children *c, struct zk_child *child, enum zk_child_state state)
{
	c->wanted -= child->state == ZK_CHILD_WANTED;
	child->state = state;
	c->wanted += state == ZK_CHILD_WANTED;
}

void zk_child_want(struct zk_children *c, struct zk_child *child)
{
	if (child->state == ZK_CHILD_READING)
		child->stale = true;
	else
		zk_child_state(c, child, ZK_CHILD_WANTED);
}

int zk_child_read(struct zk_children *c, struct zk_child *child, const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy) {
		zk_child_state(c, child, ZK_CHILD_WANTED);
		return -ENOMEM;
	}
	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	free(child->text);
	child->text = copy;
	child->len = len;
	zk_child_state(c, child, child->stale ? ZK_CHILD_WANTED : ZK_CHILD_KNOWN);
	child->stale = false;
	return 0;
}

void zk_children_lost(struct zk_children *c)
{
	for (size_t i = 0; i < c->nr; i++) {
		if (c->at[i].state == ZK_CHILD_READING)
			zk_child_state(c, &c->at[i], ZK_CHILD_WANTED);
		c->at[i].stale = false;
	}
}

int zk_children_found(const struct zk_children *c, const struct zk_how *how, struct found *f, size_t *ret_odd)
{
	*ret_odd = 0;
	for (size_t i = 0; i < c->nr; i++) {
		const struct zk_child *at = &c->at[i];
		int r = zk_read_child(how, at->name, at->text ? at->text : "", at->len, f);

		if (r == -ENOMEM)
			return r;
		*ret_odd += r != 0;
	}
	return 0;
}
