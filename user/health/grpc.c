/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * On the wire a message is a flag (0: not compressed), four bytes of length, most significant first, and a protobuf.
 * The request has one field, 1 (a string); the answer has one, 1 (an enum). Fields that are not known are passed over,
 * and of a field that is there twice the last one counts.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "health/grpc.h"

#define PREFIX	    5
#define VARINT_MAX  10
#define TAG_SERVICE 0x0a /* field 1, with a length */
#define FIELD_MAX   0x1fffffff

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

int grpc_request(const char *service, uint8_t *to)
{
	size_t len = service ? strlen(service) : 0, n = PREFIX;

	if (len > GRPC_SERVICE_MAX)
		return -EMSGSIZE;
	if (len) {
		to[n++] = TAG_SERVICE;
		if (len >= 0x80)
			to[n++] = (uint8_t)(len | 0x80);
		to[n++] = (uint8_t)(len >= 0x80 ? len >> 7 : len);
		memcpy(to + n, service, len);
		n += len;
	}
	to[0] = 0;
	to[1] = to[2] = 0;
	to[3] = (uint8_t)((n - PREFIX) >> 8);
	to[4] = (uint8_t)(n - PREFIX);
	return (int)n;
}

/* What is left to read. */
struct span {
	const uint8_t *at;
	size_t left;
};

static bool take(struct span *s, uint64_t nr)
{
	if (nr > s->left)
		return false;
	s->at += nr;
	s->left -= (size_t)nr;
	return true;
}

static bool take_varint(struct span *s, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < VARINT_MAX && i < s->left; i++) {
		uint8_t byte = s->at[i];

		/* The tenth byte holds the last of 64 bits. */
		if (i == VARINT_MAX - 1 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		*ret = value;
		return take(s, i + 1);
	}
	return false;
}

/* One field; that of the status is stored. */
static bool take_field(struct span *s, int *status)
{
	uint64_t tag, value;

	if (!take_varint(s, &tag) || !(tag >> 3) || tag >> 3 > FIELD_MAX)
		return false;
	switch (tag & 7) {
	case WIRE_VARINT:
		if (!take_varint(s, &value))
			return false;
		/* An enum is an int32, negative ones are sign extended: none of these is SERVING. */
		if (tag >> 3 == 1)
			*status = value <= INT32_MAX ? (int)value : INT32_MAX;
		return true;
	case WIRE_64:
		return take(s, 8);
	case WIRE_BYTES:
		return take_varint(s, &value) && take(s, value);
	case WIRE_32:
		return take(s, 4);
	default:
		return false;
	}
}

int grpc_response(const uint8_t *body, size_t len)
{
	struct span s = { body, len };
	int status = GRPC_UNKNOWN; /* a field that is 0 is not sent */
	uint32_t size;

	if (len < PREFIX)
		return -ENODATA;
	if (body[0])
		return body[0] == 1 ? -ENOTSUP : -EBADMSG;
	size = (uint32_t)body[1] << 24 | (uint32_t)body[2] << 16 | (uint32_t)body[3] << 8 | body[4];
	if (size > len - PREFIX)
		return -ENODATA;
	if (size < len - PREFIX)
		return -EBADMSG;
	take(&s, PREFIX);
	while (s.left)
		if (!take_field(&s, &status))
			return -EBADMSG;
	return status;
}

int grpc_status(const char *text, size_t len)
{
	int n = 0;

	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (!len || len > 4)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		n = n * 10 + (text[i] - '0');
	}
	return n;
}

const char *grpc_serving_name(int status)
{
	static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };

	return status >= 0 && (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "an unknown status";
}

const char *grpc_status_name(int status)
{
	static const char *const names[] = {
		"OK",	     "CANCELLED",	"UNKNOWN",	     "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
		"NOT_FOUND", "ALREADY_EXISTS",	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED",   "OUT_OF_RANGE",	"UNIMPLEMENTED",     "INTERNAL",	   "UNAVAILABLE",
		"DATA_LOSS", "UNAUTHENTICATED",
	};

	return status >= 0 && (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "an unknown code";
}
