/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The reader. What costs something (the key as text, the line of a broken byte) is worked out when there is an error to
 * report. Deep nesting needs no guard of its own: a list or mapping where the schema has none is refused before
 * anything inside is read.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/error.h"
#include "config/yaml.h"

#define NO_INDEX SIZE_MAX

static void path_format(const struct reader *rd, const char *key, size_t index, char *text, size_t len)
{
	const struct reader_step *step;
	size_t at = 0;

	*text = '\0';
	for (unsigned i = 0; i < rd->depth && at < len; i++) {
		step = &rd->path[i];
		if (step->key)
			at += (size_t)snprintf(text + at, len - at, "%s%s", i ? "." : "", step->key);
		else
			at += (size_t)snprintf(text + at, len - at, "[%zu]", step->index);
	}
	if (key && at < len)
		at += (size_t)snprintf(text + at, len - at, "%s%s", at ? "." : "", key);
	if (key && index != NO_INDEX && at < len)
		snprintf(text + at, len - at, "[%zu]", index);
}

static int fail(struct reader *rd, unsigned line, const char *key, size_t index, const char *fmt, va_list ap)
{
	char path[sizeof(rd->error->key)];

	path_format(rd, key, index, path, sizeof(path));
	return error_vset(rd->error, -EINVAL, rd->name, line, path, fmt, ap);
}

int reader_fail(struct reader *rd, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fail(rd, reader_line(rd), NULL, 0, fmt, ap);
	va_end(ap);
	return r;
}

int reader_fail_at(struct reader *rd, unsigned line, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fail(rd, line, NULL, 0, fmt, ap);
	va_end(ap);
	return r;
}

int reader_fail_below(struct reader *rd, unsigned line, const char *key, size_t index, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fail(rd, line, key, index, fmt, ap);
	va_end(ap);
	return r;
}

int reader_fail_key(struct reader *rd, unsigned line, const char *key, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fail(rd, line, key, NO_INDEX, fmt, ap);
	va_end(ap);
	return r;
}

int reader_fail_memory(struct reader *rd)
{
	return error_set(rd->error, -ENOMEM, rd->name, 0, NULL, "not enough memory to read it");
}

/* Line of byte @offset of the input. */
static unsigned input_line(const struct reader_input *in, size_t offset)
{
	unsigned line = 1;
	char buf[4096];
	size_t want;
	ssize_t n;

	for (size_t at = 0; at < offset; at += (size_t)n) {
		want = offset - at < sizeof(buf) ? offset - at : sizeof(buf);
		n = (ssize_t)want;
		if (!in->text)
			n = pread(in->fd, buf, want, (off_t)at);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			line += (in->text ? in->text[at + (size_t)i] : buf[i]) == '\n';
	}
	return line;
}

static int fail_bytes(struct reader *rd)
{
	const yaml_parser_t *p = &rd->parser;
	unsigned line = input_line(rd->input, p->problem_offset);

	rd->depth = 0; /* the reader is ahead of the events: the key would be a wrong one */
	if (p->problem && strstr(p->problem, "input error"))
		return errno ? error_set(rd->error, -errno, rd->name, 0, NULL, "cannot be read: %s", strerror(errno))
			     : error_set(rd->error, -EFBIG, rd->name, 0, NULL,
					 "grew to more than 256 MiB while it was read");
	if (p->problem && strstr(p->problem, "control characters"))
		return reader_fail_at(rd, line, "holds a control character (byte 0x%02x): not a text file",
				      (unsigned)p->problem_value);
	return reader_fail_at(rd, line, "holds a byte that is not UTF-8 (0x%02x): not a text file",
			      (unsigned)p->problem_value & 0xff);
}

/* One sentence out of libyaml's problem, context and marks. */
static int fail_syntax(struct reader *rd)
{
	const yaml_parser_t *p = &rd->parser;
	const char *problem = p->problem ? p->problem : "no reason given";
	unsigned line = (unsigned)p->problem_mark.line + 1;
	char c = p->buffer.pointer && p->buffer.pointer < p->buffer.last ? (char)*p->buffer.pointer : '\0';

	if (p->error == YAML_MEMORY_ERROR)
		return reader_fail_memory(rd);
	if (p->error == YAML_READER_ERROR)
		return fail_bytes(rd);
	rd->depth = 0;
	if (strstr(problem, "cannot start any token")) {
		if (c == '\t')
			return reader_fail_at(rd, line, "a tab where only spaces may indent");
		if (c > ' ' && c <= '~')
			return reader_fail_at(rd, line, "a word cannot begin with '%c'; put it in quotes", c);
	}
	if (strstr(problem, "could not find expected ':'"))
		return reader_fail_at(rd, (unsigned)p->context_mark.line + 1,
				      "not valid YAML: a line without a key (write \"key: value\" or \"- element\")");
	if (strstr(problem, "alphabetic or numeric character"))
		return reader_fail_at(rd, line, "a word that begins with '*' or '&' needs quotes");
	if (strstr(problem, "unexpected end of stream") && p->context)
		line = (unsigned)p->context_mark.line + 1; /* what is open began there */
	if (p->context && *p->context)
		return reader_fail_at(rd, line, "not valid YAML: %s %s", problem, p->context);
	return reader_fail_at(rd, line, "not valid YAML: %s", problem);
}

/* Everything that YAML has and weft.yaml has not. */
static int check_plain(struct reader *rd, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct quoted q;

	if (anchor)
		return reader_fail(rd, "anchors such as %s are not supported; write the value out",
				   quote((const char *)anchor, &q));
	return reader_fail(rd, "tags such as %s are not supported; leave it out", quote((const char *)tag, &q));
}

static int reader_next(struct reader *rd)
{
	yaml_event_t *e = &rd->event;
	struct quoted q;

	yaml_event_delete(e);
	errno = 0;
	if (!yaml_parser_parse(&rd->parser, e))
		return fail_syntax(rd);
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return reader_fail(rd,
				   "aliases such as %s are not supported; write the value out, and a pattern in quotes",
				   quote((const char *)e->data.alias.anchor, &q));
	case YAML_SCALAR_EVENT:
		if (e->data.scalar.anchor || e->data.scalar.tag)
			return check_plain(rd, e->data.scalar.anchor, e->data.scalar.tag);
		if (e->data.scalar.length > READER_WORD_MAX)
			return reader_fail(rd, "a word of %zu bytes is too long, %u are the most",
					   e->data.scalar.length, READER_WORD_MAX);
		if (memchr(e->data.scalar.value, 0, e->data.scalar.length))
			return reader_fail(rd, "a word with a NUL character in it");
		return 0;
	case YAML_SEQUENCE_START_EVENT:
		if (e->data.sequence_start.anchor || e->data.sequence_start.tag)
			return check_plain(rd, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		return 0;
	case YAML_MAPPING_START_EVENT:
		if (e->data.mapping_start.anchor || e->data.mapping_start.tag)
			return check_plain(rd, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		return 0;
	default:
		return 0;
	}
}

/* Nothing after "key:", or one of YAML's words for it. */
static bool at_null(const struct reader *rd)
{
	const char *v = (const char *)rd->event.data.scalar.value;

	return reader_at_word(rd) && rd->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*v || !strcmp(v, "~") || !strcmp(v, "null"));
}

/* The event is not what was wanted. */
static int fail_kind(struct reader *rd, const char *want)
{
	if (at_null(rd))
		return reader_fail(rd, "has no value; %s is wanted", want);
	switch (rd->event.type) {
	case YAML_SEQUENCE_START_EVENT:
		return reader_fail(rd, "must be %s, not a list", want);
	case YAML_MAPPING_START_EVENT:
		return reader_fail(rd, "must be %s, not a mapping", want);
	default:
		return reader_fail(rd, "must be %s, not a word", want);
	}
}

int reader_word(struct reader *rd, const char **ret)
{
	if (!reader_at_word(rd) || at_null(rd))
		return fail_kind(rd, "a word");
	*ret = (const char *)rd->event.data.scalar.value;
	return 0;
}

static int fail_unknown(struct reader *rd, const char *key, const struct reader_field *fields, size_t nr)
{
	const char *meant = nearest(key, &fields[0].key, nr, sizeof(fields[0]));
	char known[256] = "";
	struct quoted q;

	if (meant)
		return reader_fail(rd, "unknown key %s; did you mean \"%s\"?", quote(key, &q), meant);
	for (size_t i = 0, at = 0; i < nr && at < sizeof(known); i++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "", fields[i].key);
	return reader_fail(rd, "unknown key %s; known here: %s", quote(key, &q), known);
}

/* Finds the key that is the current event and notes it in @seen. */
static int find_field(struct reader *rd, const struct reader_field *fields, size_t nr, uint32_t *seen, size_t *ret)
{
	const char *key;

	if (!reader_at_word(rd))
		return reader_fail(rd, "a key must be a word, not a list or a mapping");
	key = (const char *)rd->event.data.scalar.value;
	for (size_t i = 0; i < nr; i++) {
		if (strcmp(fields[i].key, key))
			continue;
		if (*seen & (1u << i))
			return reader_fail(rd, "key \"%s\" is there twice", fields[i].key);
		*seen |= 1u << i;
		*ret = i;
		return 0;
	}
	return fail_unknown(rd, key, fields, nr);
}

int reader_mapping(struct reader *rd, const struct reader_field *fields, size_t nr, void *into)
{
	uint32_t seen = 0;
	size_t i = 0;
	int r;

	if (rd->event.type != YAML_MAPPING_START_EVENT)
		return fail_kind(rd, "a mapping");
	if (rd->depth == READER_DEPTH)
		return reader_fail(rd, "nested too deep");
	for (;;) {
		r = reader_next(rd);
		if (r || rd->event.type == YAML_MAPPING_END_EVENT)
			return r;
		r = find_field(rd, fields, nr, &seen, &i);
		if (r)
			return r;
		rd->path[rd->depth++] = (struct reader_step){ .key = fields[i].key };
		r = reader_next(rd);
		if (!r)
			r = fields[i].read(rd, into);
		if (r)
			return r;
		rd->depth--;
	}
}

struct option_reading {
	struct options *options;
	const char *key;
	unsigned line;
};

static int read_option_word(struct reader *rd, void *into)
{
	struct option_reading *x = into;
	const char *text = NULL;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return reader_fail(rd, "a control character");
	return options_add(x->options, x->key, text, x->line) ? reader_fail_memory(rd) : 0;
}

static int read_option(struct reader *rd, struct options *o, const char *key, unsigned line)
{
	struct option_reading x = { .options = o, .key = key, .line = line };

	if (options_find(o, key))
		return reader_fail(rd, "is there twice");
	if (rd->event.type == YAML_MAPPING_START_EVENT || at_null(rd))
		return fail_kind(rd, "a word or a list");
	if (reader_at_word(rd))
		return read_option_word(rd, &x);
	/* An empty list is written, too. */
	if (options_add(o, key, NULL, line))
		return reader_fail_memory(rd);
	return reader_list(rd, read_option_word, &x);
}

/* Which of @fields is the key that is the current event? @nr: none. */
static size_t which_field(const struct reader *rd, const struct reader_field *fields, size_t nr)
{
	size_t i = 0;

	while (i < nr && strcmp(fields[i].key, (const char *)rd->event.data.scalar.value))
		i++;
	return i;
}

int reader_options(struct reader *rd, const struct reader_field *fields, size_t nr, void *into, struct options *o)
{
	uint32_t seen = 0;
	int r;

	if (rd->event.type != YAML_MAPPING_START_EVENT)
		return fail_kind(rd, "a mapping");
	if (rd->depth == READER_DEPTH)
		return reader_fail(rd, "nested too deep");
	for (;;) {
		char key[64] = "";
		size_t i;

		r = reader_next(rd);
		if (r || rd->event.type == YAML_MAPPING_END_EVENT)
			return r;
		if (!reader_at_word(rd))
			return reader_fail(rd, "a key must be a word, not a list or a mapping");
		i = which_field(rd, fields, nr);
		if (i < nr)
			r = find_field(rd, fields, nr, &seen, &i);
		if (r)
			return r;
		snprintf(key, sizeof(key), "%s", (const char *)rd->event.data.scalar.value);
		rd->path[rd->depth++] = (struct reader_step){ .key = key };
		r = reader_next(rd);
		if (!r)
			r = i < nr ? fields[i].read(rd, into) : read_option(rd, o, key, reader_line(rd));
		if (r)
			return r;
		rd->depth--;
	}
}

int reader_list(struct reader *rd, reader_fn *item, void *into)
{
	size_t i = 0;
	int r;

	if (at_null(rd))
		return 0;
	if (rd->event.type != YAML_SEQUENCE_START_EVENT)
		return fail_kind(rd, "a list");
	if (rd->depth == READER_DEPTH)
		return reader_fail(rd, "nested too deep");
	for (;;) {
		r = reader_next(rd);
		if (r || rd->event.type == YAML_SEQUENCE_END_EVENT)
			return r;
		rd->path[rd->depth++] = (struct reader_step){ .index = i++ };
		r = item(rd, into);
		if (r)
			return r;
		rd->depth--;
	}
}

static int input_read(void *arg, unsigned char *buf, size_t size, size_t *ret)
{
	struct reader_input *in = arg;
	ssize_t n;

	do
		n = read(in->fd, buf, size);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return 0;
	in->at += (uint64_t)n;
	if (in->at > READER_FILE_MAX) {
		errno = 0;
		return 0;
	}
	*ret = (size_t)n;
	return 1;
}

static int read_document(struct reader *rd, const struct reader_field *fields, size_t nr, void *into)
{
	int r;

	r = reader_next(rd); /* start of the stream */
	if (!r)
		r = reader_next(rd);
	if (r)
		return r;
	if (rd->event.type == YAML_STREAM_END_EVENT)
		return error_set(rd->error, -EINVAL, rd->name, 0, NULL, "the file is empty");
	r = reader_next(rd);
	if (r)
		return r;
	if (at_null(rd))
		return error_set(rd->error, -EINVAL, rd->name, 0, NULL, "the file is empty");
	r = reader_mapping(rd, fields, nr, into);
	if (!r)
		r = reader_next(rd); /* end of the document */
	if (!r)
		r = reader_next(rd);
	if (!r && rd->event.type != YAML_STREAM_END_EVENT)
		r = reader_fail(rd, "a second document begins; one is read");
	return r;
}

int reader_document(const char *name, struct reader_input *input, const struct reader_field *fields, size_t nr,
		    void *into, struct config_error *ret_error)
{
	_cleanup_(freep) struct reader *rd = calloc(1, sizeof(*rd));
	int r;

	if (!rd || !yaml_parser_initialize(&rd->parser))
		return error_set(ret_error, -ENOMEM, name, 0, NULL, "not enough memory to read it");
	yaml_parser_set_encoding(&rd->parser, YAML_UTF8_ENCODING);
	if (input->text)
		yaml_parser_set_input_string(&rd->parser, (const unsigned char *)input->text, input->len);
	else
		yaml_parser_set_input(&rd->parser, input_read, input);
	rd->name = name;
	rd->input = input;
	rd->error = ret_error;
	r = read_document(rd, fields, nr, into);
	yaml_event_delete(&rd->event);
	yaml_parser_delete(&rd->parser);
	return r;
}
