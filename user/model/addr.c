/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Text of addresses. IPv4 is parsed by hand: a full load reads a million of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/service.h"

/*
 * A decimal number of at most @max without leading zeros, which some readers take for octal. Returns the text after it,
 * or NULL.
 */
static const char *parse_decimal(const char *text, unsigned max, unsigned *ret)
{
	const char *at = text;
	unsigned n = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (unsigned)(*at - '0');
		if (n > max)
			return NULL;
	}
	if (at == text || (*text == '0' && at > text + 1))
		return NULL;
	*ret = n;
	return at;
}

/* Returns the text after a dotted quad, or NULL. */
static const char *parse_v4(const char *text, struct weft_addr *ret)
{
	unsigned byte[4];
	__u32 ip = 0;

	for (int i = 0; i < 4; i++) {
		if (i && *text++ != '.')
			return NULL;
		text = parse_decimal(text, 255, &byte[i]);
		if (!text)
			return NULL;
		ip = ip << 8 | byte[i];
	}
	weft_addr_set_v4(ret, htonl(ip));
	return text;
}

static int parse_v6(const char *text, struct weft_addr *ret)
{
	struct weft_addr a;

	if (inet_pton(AF_INET6, text, a.byte) != 1 || weft_addr_is_v4(&a))
		return -EINVAL;
	*ret = a;
	return 0;
}

int addr_parse(const char *text, struct weft_addr *ret)
{
	struct weft_addr a = { 0 };
	const char *end;

	if (strchr(text, ':'))
		return parse_v6(text, ret);
	end = parse_v4(text, &a);
	if (!end || *end)
		return -EINVAL;
	*ret = a;
	return 0;
}

int addr_port_parse(const char *text, struct weft_addr *ret_addr, uint16_t *ret_port)
{
	char host[INET6_ADDRSTRLEN];
	struct weft_addr a;
	const char *end;
	unsigned port;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (size_t)(end - text - 1) >= sizeof(host))
			return -EINVAL;
		memcpy(host, text + 1, (size_t)(end - text - 1));
		host[end - text - 1] = '\0';
		if (parse_v6(host, &a))
			return -EINVAL;
		end++;
	} else {
		end = parse_v4(text, &a);
	}
	if (!end || *end != ':')
		return -EINVAL;
	end = parse_decimal(end + 1, 65535, &port);
	if (!end || *end || !port)
		return -EINVAL;
	*ret_addr = a;
	*ret_port = (uint16_t)port;
	return 0;
}

char *addr_format(const struct weft_addr *a, char *text, size_t len)
{
	bool v4 = weft_addr_is_v4(a);

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->byte + 12 : a->byte, text, (socklen_t)len) && len)
		text[0] = '\0';
	return text;
}

char *addr_port_format(const struct weft_addr *a, uint16_t port, char *text, size_t len)
{
	char host[INET6_ADDRSTRLEN];

	snprintf(text, len, weft_addr_is_v4(a) ? "%s:%u" : "[%s]:%u", addr_format(a, host, sizeof(host)), port);
	return text;
}
