/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dns/message.h"

#define POINTER 0xc0

uint8_t dns_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* ---- names ---- */

int dns_name_parse(const char *text, struct dns_name *ret)
{
	struct dns_name n = { 0 };
	size_t label, at = 0;

	if (!*text)
		return -EINVAL;
	if (!strcmp(text, "."))
		text = "";
	while (*text) {
		label = strcspn(text, ".");
		if (!label || label > DNS_LABEL_MAX || at + label + 2 > DNS_NAME_MAX)
			return -EINVAL;
		n.wire[at++] = (uint8_t)label;
		for (size_t i = 0; i < label; i++, text++) {
			if (*text <= ' ' || *text > '~')
				return -EINVAL;
			n.wire[at++] = (uint8_t)*text;
		}
		text += *text == '.';
	}
	n.len = (uint8_t)(at + 1);
	*ret = n;
	return 0;
}

char *dns_name_text(const struct dns_name *n, char *text, size_t len)
{
	size_t to = 0;

	for (size_t at = 0; at < n->len && n->wire[at]; at += n->wire[at] + 1u) {
		if (at && to < len)
			text[to++] = '.';
		for (size_t i = 1; i <= n->wire[at] && to + 5 < len; i++) {
			uint8_t c = n->wire[at + i];

			if (c > ' ' && c <= '~' && c != '.' && c != '\\')
				text[to++] = (char)c;
			else
				to += (size_t)snprintf(text + to, len - to, "\\%03u", c);
		}
	}
	if (!to)
		text[to++] = '.';
	text[to < len ? to : len - 1] = '\0';
	return text;
}

/* Lengths are below the letters, so that they may go through dns_lower() like the rest. */
static bool alike(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (dns_lower(a[i]) != dns_lower(b[i]))
			return false;
	return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && alike(a->wire, b->wire, a->len);
}

int dns_name_append(struct dns_name *n, const struct dns_name *suffix)
{
	if (n->len - 1u + suffix->len > DNS_NAME_MAX)
		return -EINVAL;
	memcpy(n->wire + n->len - 1, suffix->wire, suffix->len);
	n->len = (uint8_t)(n->len - 1 + suffix->len);
	return 0;
}

int dns_name_below(const struct dns_name *n, const struct dns_name *suffix)
{
	size_t at = 0;

	while (n->len - at > suffix->len)
		at += n->wire[at] + 1u;
	return n->len - at == suffix->len && alike(n->wire + at, suffix->wire, suffix->len) ? (int)at : -1;
}

/* ---- reading ---- */

int dns_read_u16(struct dns_reader *r, uint16_t *ret)
{
	if (r->len - r->at < 2)
		return -EBADMSG;
	*ret = (uint16_t)(r->bytes[r->at] << 8 | r->bytes[r->at + 1]);
	r->at += 2;
	return 0;
}

int dns_read_u32(struct dns_reader *r, uint32_t *ret)
{
	uint16_t high, low;

	if (r->len - r->at < 4 || dns_read_u16(r, &high) || dns_read_u16(r, &low))
		return -EBADMSG;
	*ret = (uint32_t)high << 16 | low;
	return 0;
}

int dns_read_header(struct dns_reader *r, struct dns_header *ret)
{
	if (dns_read_u16(r, &ret->id) || dns_read_u16(r, &ret->flags))
		return -EBADMSG;
	for (int i = 0; i < DNS_SECTIONS; i++)
		if (dns_read_u16(r, &ret->nr[i]))
			return -EBADMSG;
	return 0;
}

/* Each pointer must lead before the place where the labels at hand began: so they come to an end, and a name in 64 KiB
 * is read in at most 127 labels and as many jumps. */
int dns_read_name(struct dns_reader *r, struct dns_name *ret)
{
	size_t at = r->at, began = r->at, behind = 0;
	struct dns_name n = { 0 };
	unsigned to = 0, label;

	for (;;) {
		if (at >= r->len)
			return -EBADMSG;
		label = r->bytes[at];
		if ((label & POINTER) == POINTER) {
			if (at + 1 >= r->len)
				return -EBADMSG;
			if (!behind)
				behind = at + 2;
			at = (size_t)(label & ~POINTER) << 8 | r->bytes[at + 1];
			if (at >= began)
				return -EBADMSG;
			began = at;
			continue;
		}
		if (label > DNS_LABEL_MAX || at + 1 + label > r->len || to + label + 1 + (label != 0) > DNS_NAME_MAX)
			return -EBADMSG;
		memcpy(n.wire + to, r->bytes + at, label + 1);
		to += label + 1;
		at += label + 1;
		if (!label)
			break;
	}
	n.len = (uint8_t)to;
	r->at = behind ? behind : at;
	*ret = n;
	return 0;
}

int dns_read_question(struct dns_reader *r, struct dns_record *ret)
{
	*ret = (struct dns_record){ 0 };
	if (dns_read_name(r, &ret->name) || dns_read_u16(r, &ret->type) || dns_read_u16(r, &ret->class))
		return -EBADMSG;
	return 0;
}

int dns_read_record(struct dns_reader *r, struct dns_record *ret)
{
	if (dns_read_question(r, ret) || dns_read_u32(r, &ret->ttl) || dns_read_u16(r, &ret->len))
		return -EBADMSG;
	if (r->len - r->at < ret->len)
		return -EBADMSG;
	ret->at = r->at;
	r->at += ret->len;
	return 0;
}

uint32_t dns_ttl(const struct dns_record *rec)
{
	return rec->ttl > INT32_MAX ? 0 : rec->ttl;
}

struct dns_reader dns_read_data(const struct dns_reader *r, const struct dns_record *rec)
{
	return (struct dns_reader){ .bytes = r->bytes, .len = rec->at + rec->len, .at = rec->at };
}

/* ---- writing ---- */

void dns_put_u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

void dns_write(struct dns_writer *w, const void *bytes, size_t len)
{
	if (w->full || w->max - w->at < len) {
		w->full = true;
		return;
	}
	memcpy(w->bytes + w->at, bytes, len);
	w->at += len;
}

void dns_write_u16(struct dns_writer *w, uint16_t v)
{
	uint8_t bytes[2];

	dns_put_u16(bytes, v);
	dns_write(w, bytes, sizeof(bytes));
}

void dns_write_u32(struct dns_writer *w, uint32_t v)
{
	uint8_t bytes[4];

	dns_put_u16(bytes, (uint16_t)(v >> 16));
	dns_put_u16(bytes + 2, (uint16_t)v);
	dns_write(w, bytes, sizeof(bytes));
}

void dns_write_header(struct dns_writer *w, const struct dns_header *h)
{
	dns_write_u16(w, h->id);
	dns_write_u16(w, h->flags);
	for (int i = 0; i < DNS_SECTIONS; i++)
		dns_write_u16(w, h->nr[i]);
}
