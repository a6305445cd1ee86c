/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/kube_split.h"

static const char items_key[] = "items";

void kube_split_init(struct kube_split *s, bool list, int (*item)(void *ctx, const char *text, size_t len), void *ctx)
{
	*s = (struct kube_split){ .list = list, .item = item, .ctx = ctx };
}

void kube_split_done(struct kube_split *s)
{
	free(s->object.at);
	free(s->rest.at);
	s->object = s->rest = (struct kube_text){ 0 };
}

static int append(struct kube_text *t, const char *data, size_t len, size_t most)
{
	if (len > most - t->len)
		return -E2BIG;
	if (t->len + len > t->room) {
		size_t room = (t->len + len) * 2;
		char *more = realloc(t->at, room);

		if (!more)
			return -ENOMEM;
		t->at = more;
		t->room = room;
	}
	memcpy(t->at + t->len, data, len);
	t->len += len;
	return 0;
}

/* True: @c is inside a string, or one of its quotes. */
static bool step_string(struct kube_split *s, char c)
{
	if (!s->in_string) {
		s->in_string = c == '"';
		return s->in_string;
	}
	if (s->escaped)
		s->escaped = false;
	else if (c == '\\')
		s->escaped = true;
	else if (c == '"')
		s->in_string = false;
	return true;
}

/* How many bytes of @data belong to the object that is being read; in_object is false when its last one is among them.
 */
static size_t walk_object(struct kube_split *s, const char *data, size_t len)
{
	unsigned base = s->list ? 2 : 0;

	for (size_t i = 0; i < len; i++) {
		if (step_string(s, data[i]))
			continue;
		if (data[i] == '{' || data[i] == '[')
			s->depth++;
		else if ((data[i] == '}' || data[i] == ']') && --s->depth == base) {
			s->in_object = false;
			return i + 1;
		}
	}
	return len;
}

/* The last key at the outermost level is @items_key? Characters of longer keys are counted only. */
static void note_key(struct kube_split *s, char c)
{
	if (s->after_colon)
		return;
	if (c == '"') {
		if (s->in_string)
			s->key_len = 0;
		return;
	}
	if (s->key_len < sizeof(s->key))
		s->key[s->key_len] = c;
	s->key_len++;
}

static bool at_items(const struct kube_split *s)
{
	return s->depth == 1 && s->after_colon && s->key_len == sizeof(items_key) - 1 &&
	       !memcmp(s->key, items_key, sizeof(items_key) - 1);
}

/* One byte of a list outside of its items. */
static int step_around(struct kube_split *s, char c)
{
	if (step_string(s, c)) {
		if (s->depth == 1)
			note_key(s, c);
	} else if (c == '{' || c == '[') {
		s->in_items = c == '[' && at_items(s);
		s->depth++;
	} else if (c == '}' || c == ']') {
		if (!s->depth)
			return -EBADMSG;
		s->depth--;
	} else if (s->depth == 1 && (c == ':' || c == ',')) {
		s->after_colon = c == ':';
	}
	return append(&s->rest, &c, 1, KUBE_REST_MOST);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte between objects. */
static int step_between(struct kube_split *s, char c)
{
	if (is_blank(c) || (s->list && c == ','))
		return 0;
	if (s->list && c == ']') {
		s->in_items = false;
		s->depth--;
		return append(&s->rest, &c, 1, KUBE_REST_MOST);
	}
	if (c != '{')
		return -EBADMSG;
	s->in_object = true;
	s->object.len = 0;
	return 0;
}

int kube_split_feed(struct kube_split *s, const char *data, size_t len)
{
	size_t i = 0, n;
	int r;

	while (i < len) {
		if (!s->in_object) {
			r = s->list && !s->in_items ? step_around(s, data[i]) : step_between(s, data[i]);
			if (r)
				return r;
			if (!s->in_object) {
				i++;
				continue;
			}
		}
		n = walk_object(s, data + i, len - i);
		r = append(&s->object, data + i, n, KUBE_ITEM_MOST);
		if (!r && !s->in_object)
			r = s->item(s->ctx, s->object.at, s->object.len);
		if (r)
			return r;
		i += n;
	}
	return 0;
}

int kube_split_end(const struct kube_split *s)
{
	if (s->in_object || s->in_string || s->depth)
		return -EBADMSG;
	return s->list && !s->rest.len ? -EBADMSG : 0;
}
