/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Active health checks: "health-check" of a service. Which keys go with which type is one table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/error.h"
#include "config/scalar.h"
#include "config/registries.h"

#define NR(a)	      (sizeof(a) / sizeof((a)[0]))
#define INTERVAL_MIN  10u
#define INTERVAL_MAX  (24u * 3600 * 1000)
#define TEXT_MAX      1024
#define NAME_MAX_LEN  253
#define COMMAND_WORDS 64

struct check_reading {
	struct health_check *c;
	unsigned lines[16]; /* of its keys, as in fields[]; 0: not written */
	size_t nr_words;
};

static struct health_check *check_of(void *into)
{
	return ((struct check_reading *)into)->c;
}

static const char *const types[] = {
#define X(id, name, text) [HEALTH_##id] = name,
	HEALTH_CHECKS(X)
#undef X
};

static int read_type(struct reader *rd, void *into)
{
	unsigned type = 0;
	int r;

	r = scalar_choice(rd, types + 1, NR(types) - 1, &type);
	if (!r)
		check_of(into)->type = (uint8_t)(type + 1);
	return r;
}

static int read_interval(struct reader *rd, void *into)
{
	return scalar_duration(rd, INTERVAL_MIN, INTERVAL_MAX, false, &check_of(into)->interval_ms);
}

static int read_timeout(struct reader *rd, void *into)
{
	return scalar_duration(rd, 1, INTERVAL_MAX, false, &check_of(into)->timeout_ms);
}

static int read_rise(struct reader *rd, void *into)
{
	return scalar_number(rd, 1, 1000, &check_of(into)->rise);
}

static int read_fall(struct reader *rd, void *into)
{
	return scalar_number(rd, 1, 1000, &check_of(into)->fall);
}

static int read_jitter(struct reader *rd, void *into)
{
	uint32_t percent = 0;
	int r;

	r = scalar_number(rd, 0, 100, &percent);
	if (!r)
		check_of(into)->jitter = (uint8_t)percent;
	return r;
}

static int read_port(struct reader *rd, void *into)
{
	uint32_t port = 0;
	int r;

	r = scalar_number(rd, 1, 65535, &port);
	if (!r)
		check_of(into)->port = (uint16_t)port;
	return r;
}

static int read_path(struct reader *rd, void *into)
{
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (*text != '/')
		return reader_fail(rd, "must begin with \"/\", not be %s", quote(text, &q));
	return scalar_plain_text(rd, TEXT_MAX, &check_of(into)->path);
}

static int read_host(struct reader *rd, void *into)
{
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	for (const char *at = text; *at; at++)
		if (!((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z') && !strchr("0123456789-._", *at))
			return reader_fail(rd, "must be a host name without a port, not %s", quote(text, &q));
	return scalar_plain_text(rd, NAME_MAX_LEN, &check_of(into)->host);
}

/* Three digits from 100 to 599. Returns the text after them, or NULL. */
static const char *parse_status(const char *text, uint16_t *ret)
{
	unsigned n = 0;

	for (int i = 0; i < 3; i++) {
		if (text[i] < '0' || text[i] > '9')
			return NULL;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	*ret = (uint16_t)n;
	return n >= 100 && n <= 599 ? text + 3 : NULL;
}

static int read_status(struct reader *rd, void *into)
{
	struct health_check *c = check_of(into);
	uint16_t min = 0, max = 0;
	const char *text, *at;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	at = parse_status(text, &min);
	max = min;
	if (at && *at == '-')
		at = parse_status(at + 1, &max);
	if (!at || *at)
		return reader_fail(rd,
				   "must be a status such as 200 or a range such as 200-399, within 100-599; not %s",
				   quote(text, &q));
	if (min > max)
		return reader_fail(rd, "the range %s is empty; write it as %u-%u", quote(text, &q), max, min);
	c->status_min = min;
	c->status_max = max;
	return 0;
}

static int read_expect(struct reader *rd, void *into)
{
	return scalar_text(rd, TEXT_MAX, &check_of(into)->expect);
}

static int read_grpc_service(struct reader *rd, void *into)
{
	return scalar_plain_text(rd, NAME_MAX_LEN, &check_of(into)->grpc_service);
}

static int read_tls(struct reader *rd, void *into)
{
	return scalar_bool(rd, &check_of(into)->tls);
}

static int read_verify(struct reader *rd, void *into)
{
	return scalar_bool(rd, &check_of(into)->tls_verify);
}

static int read_ca_file(struct reader *rd, void *into)
{
	return scalar_path(rd, 4000, &check_of(into)->ca_file);
}

static int read_command_word(struct reader *rd, void *into)
{
	struct check_reading *x = into;
	const char *text;
	struct quoted q;
	char **more;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!x->nr_words && *text != '/')
		return reader_fail(rd, "must be the absolute path of a program, one that begins with \"/\"; not %s",
				   quote(text, &q));
	if (x->nr_words == COMMAND_WORDS)
		return reader_fail(rd, "a command has at most %d words", COMMAND_WORDS);
	more = reallocarray(x->c->command, x->nr_words + 2, sizeof(*more));
	if (!more)
		return reader_fail_memory(rd);
	x->c->command = more;
	more[x->nr_words] = more[x->nr_words + 1] = NULL;
	r = *text ? scalar_text(rd, TEXT_MAX, &more[x->nr_words]) : scalar_copy(rd, "", &more[x->nr_words]);
	if (!r)
		x->nr_words++;
	return r;
}

static int read_command(struct reader *rd, void *into)
{
	if (reader_at_word(rd))
		return reader_fail(rd, "must be a list of words, such as [/usr/bin/check, --fast]; no shell takes it "
				       "apart");
	return reader_list(rd, read_command_word, into);
}

#define TYPE(t)	 (1u << HEALTH_##t)
#define ANY	 (TYPE(TCP) | TYPE(HTTP) | TYPE(HTTPS) | TYPE(GRPC) | TYPE(EXEC))
#define ANY_HTTP (TYPE(HTTP) | TYPE(HTTPS))
#define ANY_TLS	 (TYPE(HTTPS) | TYPE(GRPC))

/* Each key with its reader and the types it goes with. */
static const struct check_key {
	struct reader_field field;
	unsigned types;
	const char *with; /* the types, for the message */
} keys[] = {
	{ { "type", read_type }, ANY, "" },
	{ { "interval", read_interval }, ANY, "" },
	{ { "timeout", read_timeout }, ANY, "" },
	{ { "rise", read_rise }, ANY, "" },
	{ { "fall", read_fall }, ANY, "" },
	{ { "jitter", read_jitter }, ANY, "" },
	{ { "port", read_port }, ANY, "" },
	{ { "path", read_path }, ANY_HTTP, "http and https" },
	{ { "host", read_host }, ANY_HTTP | TYPE(GRPC), "http, https and grpc" },
	{ { "status", read_status }, ANY_HTTP, "http and https" },
	{ { "expect", read_expect }, ANY_HTTP, "http and https" },
	{ { "service", read_grpc_service }, TYPE(GRPC), "grpc" },
	{ { "tls", read_tls }, TYPE(GRPC), "grpc" },
	{ { "verify", read_verify }, ANY_TLS, "https and grpc" },
	{ { "ca-file", read_ca_file }, ANY_TLS, "https and grpc" },
	{ { "command", read_command }, TYPE(EXEC), "exec" },
};

enum { TIMEOUT = 2, VERIFY = 13, CA_FILE = 14, COMMAND = 15 }; /* in keys[] */
_Static_assert(NR(keys) == NR(((struct check_reading *)0)->lines), "a line for each key");

/* Reads a key of keys[] and notes its line. */
static int read_noting(struct reader *rd, void *into)
{
	struct check_reading *x = into;
	size_t i = 0;

	while (strcmp(keys[i].field.key, rd->path[rd->depth - 1].key))
		i++;
	x->lines[i] = reader_line(rd);
	return keys[i].field.read(rd, into);
}

static int check_types(struct reader *rd, const struct check_reading *x)
{
	const struct health_check *c = x->c;

	for (size_t i = 0; i < NR(keys); i++)
		if (x->lines[i] && !(keys[i].types & 1u << c->type))
			return reader_fail_key(rd, x->lines[i], keys[i].field.key,
					       "belongs to checks of type %s, not %s", keys[i].with,
					       health_name(c->type));
	if (c->type == HEALTH_GRPC && !c->tls && (x->lines[VERIFY] || x->lines[CA_FILE]))
		return reader_fail_key(rd, x->lines[VERIFY] ? x->lines[VERIFY] : x->lines[CA_FILE],
				       x->lines[VERIFY] ? "verify" : "ca-file", "has no meaning without \"tls: true\"");
	if (c->ca_file && !c->tls_verify)
		return reader_fail_key(rd, x->lines[CA_FILE], "ca-file", "has no meaning with \"verify: false\"");
	return 0;
}

static int finish_check(struct reader *rd, struct check_reading *x, unsigned line)
{
	struct health_check *c = x->c;
	char timeout[DURATION_TEXT_LEN], interval[DURATION_TEXT_LEN];
	int r;

	if (c->type == HEALTH_NONE)
		return reader_fail_at(rd, line, "\"type\" is missing");
	r = check_types(rd, x);
	if (r)
		return r;
	if (c->type == HEALTH_EXEC && !x->nr_words)
		return reader_fail_at(rd, x->lines[COMMAND] ? x->lines[COMMAND] : line, "%s",
				      x->lines[COMMAND] ? "\"command\" is empty; an exec check runs a program"
							: "\"command\" is missing; an exec check runs a program");
	if (c->timeout_ms > c->interval_ms && x->lines[TIMEOUT])
		return reader_fail_key(rd, x->lines[TIMEOUT], "timeout", "%s is longer than the interval, %s",
				       duration_format(c->timeout_ms, timeout, sizeof(timeout)),
				       duration_format(c->interval_ms, interval, sizeof(interval)));
	if (c->timeout_ms > c->interval_ms) /* the default */
		c->timeout_ms = c->interval_ms;
	if ((ANY_HTTP & 1u << c->type) && !c->path)
		return scalar_copy(rd, "/", &c->path);
	return 0;
}

int health_check_read(struct reader *rd, struct health_check *c)
{
	struct check_reading reading = { .c = c };
	struct reader_field fields[NR(keys)];
	unsigned line = reader_line(rd);
	int r;

	if (scalar_is_off(rd))
		return 0;
	for (size_t i = 0; i < NR(keys); i++)
		fields[i] = (struct reader_field){ keys[i].field.key, read_noting };
	r = reader_at_word(rd) ? read_type(rd, &reading) : reader_mapping(rd, fields, NR(fields), &reading);
	return r ? r : finish_check(rd, &reading, line);
}

int service_read_health_check(struct reader *rd, void *into)
{
	struct services_reading *x = into;

	x->lines[KEY_CHECK] = reader_line(rd);
	return health_check_read(rd, &x->service->check);
}
