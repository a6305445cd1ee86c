/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ADDRESS:PORT. Reading one is fast, since a full load reads a million; why one is refused is found out afterwards. */
#include <string.h>

#include "config/error.h"
#include "config/scalar.h"

/* The text after the last colon, which is not a port from 1 to 65535. */
static int fail_port(struct reader *rd, const char *port, bool v6)
{
	struct quoted q;

	if (!*port)
		return reader_fail(rd, "has no port after the colon; write it as %s",
				   v6 ? "[fd00::1]:80" : "10.0.0.1:80");
	return reader_fail(rd, "the port must be from 1 to 65535, not %s", quote(port, &q));
}

/* Letters, digits, dots, dashes, with a letter past f or a dash somewhere before the port. */
static bool is_host_name(const char *text)
{
	size_t len = strcspn(text, ":");
	bool letter = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i] | 0x20;

		if (c >= 'a' && c <= 'z')
			letter = true;
		else if (!strchr("0123456789-._", text[i]))
			return false;
	}
	return letter && !strchr(text + len + (text[len] != '\0'), ':');
}

static int fail_v6(struct reader *rd, const char *text)
{
	const char *end = strchr(text, ']');
	struct weft_addr addr;
	struct quoted q;
	char host[64];

	if (end && (size_t)(end - text) < sizeof(host)) {
		memcpy(host, text + 1, (size_t)(end - text - 1));
		host[end - text - 1] = '\0';
		if (!addr_parse(host, &addr) && strchr(host, ':')) {
			if (!end[1])
				return reader_fail(rd, "has no port; write it as %s:80", text);
			if (end[1] == ':')
				return fail_port(rd, end + 2, true);
		} else if (!strncasecmp(host, "::ffff:", 7)) {
			return reader_fail(rd, "%s is an IPv4 address written as IPv6; write it as 10.0.0.1:80",
					   quote(text, &q));
		} else if (strchr(host, '%')) {
			return reader_fail(rd, "%s names an interface; only addresses without one will do",
					   quote(text, &q));
		}
	}
	return reader_fail(rd, "%s is no address; write it as [fd00::1]:80", quote(text, &q));
}

static int fail_address(struct reader *rd, const char *text)
{
	const char *colon = strrchr(text, ':');
	struct weft_addr addr;
	struct quoted q;
	char host[64];

	if (*text == '[')
		return fail_v6(rd, text);
	if (is_host_name(text))
		return reader_fail(rd,
				   "%s is a name; addresses are wanted, names need a DNS source, which this version "
				   "does not have",
				   quote(text, &q));
	if (!addr_parse(text, &addr)) {
		if (colon)
			return reader_fail(rd, "IPv6 needs brackets and a port; write it as \"[fd00::1]:80\"");
		return reader_fail(rd, "has no port; write it as %s:80", text);
	}
	if (colon && (size_t)(colon - text) < sizeof(host)) {
		memcpy(host, text, (size_t)(colon - text));
		host[colon - text] = '\0';
		if (!addr_parse(host, &addr) && weft_addr_is_v4(&addr))
			return fail_port(rd, colon + 1, false);
	}
	return reader_fail(rd, "%s is no address; write it as 10.0.0.1:80 or \"[fd00::1]:80\"", quote(text, &q));
}

/* Addresses that no connection can be made to, or not by address alone. NULL: fine. */
static const char *unusable(const struct weft_addr *a, bool any)
{
	const __u8 *b = a->byte;

	if (weft_addr_is_any(a))
		return any ? NULL : "stands for every address; a connection needs one";
	if (weft_addr_is_v4(a)) {
		if (b[12] >= 224 && b[12] <= 239)
			return "is a multicast address";
		if (b[12] == 255 && b[13] == 255 && b[14] == 255 && b[15] == 255)
			return "is the broadcast address";
		return NULL;
	}
	if (b[0] == 0xff)
		return "is a multicast address";
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return "is link-local: it means nothing without an interface";
	return NULL;
}

int scalar_address(struct reader *rd, bool any, struct address *ret)
{
	struct address a;
	const char *text, *why;
	struct quoted q;
	int r;

	if (rd->event.type == YAML_SEQUENCE_START_EVENT)
		return reader_fail(rd, "must be a word, not a list; an IPv6 address needs quotes: \"[fd00::1]:80\"");
	r = reader_word(rd, &text);
	if (r)
		return r;
	if (addr_port_parse(text, &a.addr, &a.port))
		return fail_address(rd, text);
	why = unusable(&a.addr, any);
	if (why)
		return reader_fail(rd, "%s %s", quote(text, &q), why);
	*ret = a;
	return 0;
}
