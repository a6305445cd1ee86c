/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A pull reader over libyaml's events: each value goes straight from the text into the struct that wants it, no tree is
 * built. The reader knows where it is (line and key), so that whoever refuses a value only says why. Inside config/
 * only.
 *
 * The contract of every read function: on entry the current event is the first of the value, on success the last.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "config/config.h"

#define READER_DEPTH	16		       /* the schema needs 6 */
#define READER_WORD_MAX 4096		       /* bytes of one word */
#define READER_FILE_MAX (256ull * 1024 * 1024) /* bytes of one file */

/* What to read: memory, or a file that is open. */
struct reader_input {
	const char *text; /* NULL: read from fd */
	size_t len;
	int fd;
	uint64_t at; /* of fd: bytes read so far */
};

struct reader_step {
	const char *key; /* NULL: an element of a list */
	size_t index;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	const char *name;   /* of the file, for messages */
	struct reader_input *input;
	struct config_error *error;
	unsigned depth;
	struct reader_step path[READER_DEPTH];
};

typedef int reader_fn(struct reader *rd, void *into);

/* A key of a mapping. */
struct reader_field {
	const char *key;
	reader_fn *read;
};

/* Reads one document, which must be a mapping with these keys and the only one. */
int reader_document(const char *name, struct reader_input *input, const struct reader_field *fields, size_t nr,
		    void *into, struct config_error *ret_error);

int reader_mapping(struct reader *rd, const struct reader_field *fields, size_t nr, void *into);
/*
 * A mapping whose keys are not known yet: words and lists of words go to @o, keys of @fields (there may be none) are
 * read by those.
 */
int reader_options(struct reader *rd, const struct reader_field *fields, size_t nr, void *into, struct options *o);
int reader_list(struct reader *rd, reader_fn *item, void *into); /* nothing at all is an empty list */
int reader_word(struct reader *rd, const char **ret);		 /* text of a scalar, until the next event */

static inline bool reader_at_word(const struct reader *rd)
{
	return rd->event.type == YAML_SCALAR_EVENT;
}

static inline unsigned reader_line(const struct reader *rd)
{
	return (unsigned)rd->event.start_mark.line + 1;
}

/* Index of the list element that is being read. */
static inline size_t reader_index(const struct reader *rd)
{
	return rd->depth ? rd->path[rd->depth - 1].index : 0;
}

/* Fill the error and return -EINVAL: at the current event, at @line, or at element @index of list @key below the
 * current place. */
int reader_fail(struct reader *rd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int reader_fail_at(struct reader *rd, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int reader_fail_below(struct reader *rd, unsigned line, const char *key, size_t index, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The same at @line for @key, which may have dots, below the current place. */
int reader_fail_key(struct reader *rd, unsigned line, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int reader_fail_memory(struct reader *rd); /* returns -ENOMEM */

#endif
