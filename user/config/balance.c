/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Keys of a service that say how an endpoint is chosen. */
#include <netinet/in.h>

#include "config/scalar.h"
#include "config/services.h"

#define AFFINITY_MIN_MS 1000u
#define AFFINITY_MAX_MS (7u * 24 * 3600 * 1000)
#define NR(a)		(sizeof(a) / sizeof((a)[0]))

static const char *const protocols[] = { "tcp", "udp" };
static const char *const clients[] = { "none", "address", "workload" }; /* enum weft_client */
static const char *const lbs[] = {
#define X(id, name, text) [WEFT_LB_##id] = name,
	WEFT_LBS(X)
#undef X
};

int service_read_protocol(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	unsigned i = 0;
	int r;

	r = scalar_choice(rd, protocols, NR(protocols), &i);
	if (!r)
		x->service->proto = i ? IPPROTO_UDP : IPPROTO_TCP;
	return r;
}

int service_read_balance(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	unsigned lb = 0;
	int r;

	r = scalar_choice(rd, lbs, NR(lbs), &lb);
	if (!r)
		x->service->lb = (uint8_t)lb;
	return r;
}

int service_read_hash_by(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	unsigned i = 0;
	int r;

	r = scalar_choice(rd, clients + 1, NR(clients) - 1, &i);
	if (!r)
		x->service->hash_by = (uint8_t)(i + 1);
	return r;
}

static int read_affinity_by(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	unsigned client = 0;
	int r;

	r = scalar_choice(rd, clients, NR(clients), &client);
	if (!r)
		x->service->affinity = (uint8_t)client;
	return r;
}

static int read_affinity_timeout(struct reader *rd, void *into)
{
	struct services_reading *x = into;

	return scalar_duration(rd, AFFINITY_MIN_MS, AFFINITY_MAX_MS, false, &x->service->affinity_ms);
}

int service_read_affinity(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "by", read_affinity_by },
		{ "timeout", read_affinity_timeout },
	};
	struct services_reading *x = into;
	unsigned line = reader_line(rd);
	int r;

	if (reader_at_word(rd))
		return read_affinity_by(rd, into);
	x->service->affinity = UINT8_MAX;
	r = reader_mapping(rd, fields, NR(fields), into);
	if (!r && x->service->affinity == UINT8_MAX)
		return reader_fail_at(rd, line, "\"by\" is missing");
	return r;
}

static bool is_prime(uint32_t n)
{
	for (uint32_t i = 2; i * i <= n; i++)
		if (n % i == 0)
			return false;
	return n > 1;
}

int service_read_maglev_table(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	uint32_t n = 0, next;
	int r;

	r = scalar_number(rd, 2, WEFT_MAGLEV_MAX, &n);
	if (r)
		return r;
	if (!is_prime(n)) {
		for (next = n; !is_prime(next);)
			next++; /* ends: the limit is a prime */
		return reader_fail(rd, "must be a prime, which %u is not; the next one is %u", n, next);
	}
	x->service->maglev_size = n;
	return 0;
}
