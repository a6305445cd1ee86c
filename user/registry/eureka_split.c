/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/eureka_split.h"

#define OUTER 2 /* brackets around the key: {"applications": {"application": */

static const char key_wanted[] = "application";

void eureka_split_done(struct eureka_split *s)
{
	free(s->element.at);
	free(s->rest.at);
	s->element = s->rest = (struct eureka_piece){ 0 };
}

static int append(struct eureka_piece *p, const char *data, size_t len, size_t most)
{
	if (len > most - p->len)
		return -E2BIG;
	if (p->len + len > p->room) {
		size_t room = (p->len + len) * 2;
		char *more = realloc(p->at, room);

		if (!more)
			return -ENOMEM;
		p->at = more;
		p->room = room;
	}
	memcpy(p->at + p->len, data, len);
	p->len += len;
	return 0;
}

static int append_rest(struct eureka_split *s, char c)
{
	return append(&s->rest, &c, 1, EUREKA_REST_MOST);
}

/* True: @c is inside a string, or one of its quotes. */
static bool step_string(struct eureka_split *s, char c)
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

/* Characters of longer keys are counted only. */
static void note_key(struct eureka_split *s, char c)
{
	if (s->depth != OUTER || s->after_colon)
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

static bool at_applications(const struct eureka_split *s)
{
	return s->depth == OUTER && s->after_colon && s->key_len == sizeof(key_wanted) - 1 &&
	       !memcmp(s->key, key_wanted, sizeof(key_wanted) - 1);
}

/* One byte outside of applications; where may change. */
static int step_around(struct eureka_split *s, char c)
{
	if (step_string(s, c)) {
		note_key(s, c);
	} else if (c == '{' && at_applications(s)) {
		s->where = SPLIT_ALONE;
		return append(&s->rest, "[]", 2, EUREKA_REST_MOST);
	} else if (c == '{' || c == '[') {
		if (c == '[' && at_applications(s))
			s->where = SPLIT_BETWEEN;
		else if (s->depth == OUTER - 1)
			s->after_colon = false;
		s->depth++;
	} else if (c == '}' || c == ']') {
		if (!s->depth)
			return -EINVAL;
		s->depth--;
	} else if (s->depth == OUTER && (c == ':' || c == ',')) {
		s->after_colon = c == ':';
	}
	return append_rest(s, c);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte between the elements of the list. */
static int step_between(struct eureka_split *s, char c)
{
	if (c == ']') {
		s->where = SPLIT_AROUND;
		s->depth--;
		return append_rest(s, c);
	}
	if (!is_blank(c) && c != ',')
		s->where = SPLIT_ELEMENT;
	return 0;
}

/* How many bytes of @data belong to the element that is being read; where is another one after its last. */
static size_t walk_element(struct eureka_split *s, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (step_string(s, data[i]))
			continue;
		if (s->where == SPLIT_ELEMENT && s->depth == OUTER + 1 && (data[i] == ',' || data[i] == ']')) {
			s->where = SPLIT_BETWEEN;
			return i;
		}
		if (data[i] == '{' || data[i] == '[') {
			s->depth++;
		} else if ((data[i] == '}' || data[i] == ']') && --s->depth == OUTER) {
			s->where = SPLIT_AROUND;
			return i + 1;
		}
	}
	return len;
}

static bool in_element(const struct eureka_split *s)
{
	return s->where == SPLIT_ELEMENT || s->where == SPLIT_ALONE;
}

int eureka_split_feed(struct eureka_split *s, const char *data, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t n;
		int r;

		if (!in_element(s)) {
			r = s->where == SPLIT_AROUND ? step_around(s, data[i]) : step_between(s, data[i]);
			if (r)
				return r;
			if (!in_element(s)) {
				i++;
				continue;
			}
			s->element.len = 0;
		}
		n = walk_element(s, data + i, len - i);
		r = append(&s->element, data + i, n, EUREKA_APPLICATION_MOST);
		if (!r && !in_element(s))
			r = s->item(s->ctx, s->element.at, s->element.len);
		if (r)
			return r;
		i += n;
	}
	return 0;
}

int eureka_split_end(const struct eureka_split *s)
{
	return s->where != SPLIT_AROUND || s->in_string || s->depth || !s->rest.len ? -EINVAL : 0;
}
