/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <string.h>

#include "dns/reverse.h"

/* A label of 1 to 3 digits, 0..255, without leading zeros. -1: none. */
static int octet(const uint8_t *label)
{
	int n = 0;

	if (*label < 1 || *label > 3 || (*label > 1 && label[1] == '0'))
		return -1;
	for (unsigned i = 1; i <= *label; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		n = n * 10 + label[i] - '0';
	}
	return n <= 255 ? n : -1;
}

static int digit(const uint8_t *label)
{
	uint8_t c = dns_lower(label[1]);

	if (*label != 1)
		return -1;
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_v4(const struct dns_name *name, struct weft_addr *ret)
{
	const uint8_t *at = name->wire;
	uint8_t bytes[4];
	__be32 v4;

	for (int i = 3; i >= 0; i--, at += *at + 1) {
		int n = octet(at);

		if (n < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)n;
	}
	memcpy(&v4, bytes, sizeof(v4));
	weft_addr_set_v4(ret, v4);
	return 0;
}

static int parse_v6(const struct dns_name *name, struct weft_addr *ret)
{
	const uint8_t *at = name->wire;

	for (int i = 15; i >= 0; i--) {
		int low = digit(at), high = low < 0 ? -1 : digit(at + 2);

		if (high < 0)
			return -EINVAL;
		ret->byte[i] = (uint8_t)(high << 4 | low);
		at += 4;
	}
	return 0;
}

static int labels_before(const struct dns_name *name, const char *suffix)
{
	struct dns_name s;
	int len, nr = 0;

	dns_name_parse(suffix, &s);
	len = dns_name_below(name, &s);
	for (int at = 0; at < len; at += name->wire[at] + 1)
		nr++;
	return nr;
}

int reverse_parse(const struct dns_name *name, struct weft_addr *ret)
{
	if (labels_before(name, "in-addr.arpa") == 4)
		return parse_v4(name, ret);
	if (labels_before(name, "ip6.arpa") == 32)
		return parse_v6(name, ret);
	return -EINVAL;
}
