/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/pool.h"

#define MAPPED_BITS 96

static unsigned whole_bits(const struct prefix *p)
{
	return p->bits + (weft_addr_is_v4(&p->addr) ? MAPPED_BITS : 0u);
}

/* The first @bits of @a, the others 0. */
static struct weft_addr cut(const struct weft_addr *a, unsigned bits)
{
	struct weft_addr c = *a;

	for (unsigned i = 0; i < sizeof(c.byte); i++) {
		unsigned keep = bits <= i * 8 ? 0 : bits - i * 8 >= 8 ? 8 : bits - i * 8;

		c.byte[i] &= (uint8_t)(0xff00 >> keep);
	}
	return c;
}

static int parse_bits(const char *text, unsigned most, uint8_t *ret)
{
	unsigned n = 0;

	if (!*text || strlen(text) > 3 || (*text == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(*text - '0');
	}
	*ret = (uint8_t)n;
	return n <= most ? 0 : -EINVAL;
}

int prefix_parse(const char *text, struct prefix *ret)
{
	const char *slash = strchr(text, '/');
	struct prefix p = { 0 };
	struct weft_addr whole;
	char addr[ADDR_TEXT_LEN];

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (addr_parse(addr, &whole) || parse_bits(slash + 1, weft_addr_is_v4(&whole) ? 32 : 128, &p.bits))
		return -EINVAL;
	p.addr = whole;
	p.addr = cut(&whole, whole_bits(&p));
	*ret = p;
	return weft_addr_equal(&p.addr, &whole) ? 0 : -ERANGE;
}

bool prefix_has(const struct prefix *p, const struct weft_addr *a)
{
	struct weft_addr c = cut(a, whole_bits(p));

	return weft_addr_is_v4(&p->addr) == weft_addr_is_v4(a) && weft_addr_equal(&c, &p->addr);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_has(a, &b->addr) || prefix_has(b, &a->addr);
}

char *prefix_format(const struct prefix *p, char *text, size_t len)
{
	char addr[ADDR_TEXT_LEN];

	snprintf(text, len, "%s/%u", addr_format(&p->addr, addr, sizeof(addr)), p->bits);
	return text;
}
