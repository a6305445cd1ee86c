/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fuzzes what Consul may answer to a question for the instances of a service: the first byte says how it is read, the
 * rest is the body, and what stands in a header or beside a status as well. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/consul_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_consul: %s\n", what);
	abort();
}

static void need_found(const struct found *f, const struct consul_reading *how)
{
	for (size_t i = 0; i < f->nr; i++) {
		const struct found_endpoint *e = &f->at[i];

		need(e->endpoint.port, "a port");
		need(!e->host || *e->host, "a host");
		need(!e->endpoint.zone || (*e->endpoint.zone && strlen(e->endpoint.zone) <= 63),
		     "a zone of that length");
		need(!e->endpoint.unready || how->health == CONSUL_ANY, "an instance that should have been left out");
		for (size_t k = 0; k < e->nr_labels; k++)
			need(*e->labels[k].key, "a label without a name");
	}
}

/* @text ends with a NUL. */
static void read_texts(const char *text, size_t len)
{
	char reason[64];
	uint64_t index = consul_index_parse(text);

	need(!index || (len <= 19 && strspn(text, "0123456789") == strlen(text)), "a number of what is none");
	need(consul_index_next(1, index) == (index ? index : 1), "the next index");
	need(consul_index_next(UINT64_MAX, index) == (index ? 0 : 1), "the next index after a step back");
	consul_reason(text, reason, sizeof(reason));
	for (const char *at = reason; *at; at++)
		need(*at >= ' ' && *at != 127, "a reason with control characters");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *body = malloc(size ? size : 1), *text = NULL;
	struct consul_reading how = { .zone_key = "zone" };
	struct found f = { 0 };
	char why[128] = "";
	unsigned odd;
	int r;

	if (!size)
		return 0;
	how.health = data[0] % 3;
	how.port = data[0] & 4 ? 80 : 0;
	memcpy(body, data + 1, size - 1); /* exactly as long: an overrun is seen */
	body = realloc(body, size > 1 ? size - 1 : 1);
	r = consul_decode(body, size - 1, &how, &f, &odd, why, sizeof(why));
	need(r == 0 || r == -EBADMSG, "an errno that is not promised");
	need(!r || (!f.nr && *why), "a failure with endpoints, or without a word");
	need_found(&f, &how);
	found_done(&f);
	text = strndup(body, size - 1);
	read_texts(text, strlen(text));
	return 0;
}
