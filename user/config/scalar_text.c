/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Words of free text, and those that may be a word in place of a number. */
#include <errno.h>
#include <string.h>

#include "config/error.h"
#include "config/scalar.h"

static bool at_text(const struct reader *rd, const char *text)
{
	return reader_at_word(rd) && !strcmp((const char *)rd->event.data.scalar.value, text);
}

bool scalar_is_off(const struct reader *rd)
{
	return at_text(rd, "off");
}

bool scalar_is_on(const struct reader *rd)
{
	return at_text(rd, "on");
}

int scalar_switch(struct reader *rd, bool *ret)
{
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!scalar_is_on(rd) && !scalar_is_off(rd))
		return reader_fail(rd, "must be on or off, not %s", quote(text, &q));
	*ret = scalar_is_on(rd);
	return 0;
}

int scalar_number_or_off(struct reader *rd, uint32_t min, uint32_t max, uint32_t *ret)
{
	const char *text;
	struct quoted q;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (scalar_is_off(rd)) {
		*ret = 0;
		return 0;
	}
	if (!strcmp(text, "0"))
		return reader_fail(rd, "must be a whole number from %u to %u, or off; not 0", min, max);
	if (strspn(text, "0123456789") != strlen(text))
		return reader_fail(rd, "must be a whole number from %u to %u, or off; not %s", min, max,
				   quote(text, &q));
	return scalar_number(rd, min, max, ret);
}

/* "1", "1.9", "0.125". */
static bool parse_thousandths(const char *text, uint64_t *ret)
{
	uint64_t n = 0, place = 1000;
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 7 || (*text == '0' && digits > 1))
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	n *= 1000;
	text += digits;
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9' && place > 1; text++)
			n += (uint64_t)(*text - '0') * (place /= 10);
		if (place == 1000)
			return false;
	}
	*ret = n;
	return !*text;
}

int scalar_thousandths(struct reader *rd, uint32_t min, uint32_t max, uint32_t *ret)
{
	const char *text;
	struct quoted q;
	uint64_t n = 0;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!parse_thousandths(text, &n) || n < min || n > max)
		return reader_fail(rd, "must be a number from %g to %g with at most three decimals, not %s",
				   min / 1000.0, max / 1000.0, quote(text, &q));
	*ret = (uint32_t)n;
	return 0;
}

static int read_text(struct reader *rd, size_t max, const char **ret)
{
	size_t len;
	int r;

	r = reader_word(rd, ret);
	if (r)
		return r;
	len = strlen(*ret);
	if (!len)
		return reader_fail(rd, "must not be empty");
	if (len > max)
		return reader_fail(rd, "a text of %zu bytes is too long, %zu are the most", len, max);
	return 0;
}

int scalar_text(struct reader *rd, size_t max, char **ret)
{
	const char *text;
	struct quoted q;
	int r;

	r = read_text(rd, max, &text);
	if (r)
		return r;
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return reader_fail(rd, "a text with a control character: %s", quote(text, &q));
	return scalar_copy(rd, text, ret);
}

int scalar_plain_text(struct reader *rd, size_t max, char **ret)
{
	const char *text;
	struct quoted q;
	int r;

	r = read_text(rd, max, &text);
	if (r)
		return r;
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at > '~' || strchr("\"'`\\", *at))
			return reader_fail(rd,
					   "must be ASCII letters, digits and signs, without blanks, quotes and "
					   "backslashes; not %s",
					   quote(text, &q));
	return scalar_copy(rd, text, ret);
}
