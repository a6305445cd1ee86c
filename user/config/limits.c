/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Limits of a service. */
#include "config/scalar.h"
#include "config/services.h"

#define NR(a)	 (sizeof(a) / sizeof((a)[0]))
#define PLACES	 100000000u
#define RATE_MAX 10000000u

static struct limits *limits_of(void *into)
{
	return &((struct services_reading *)into)->service->limits;
}

static int read_max_connections(struct reader *rd, void *into)
{
	return scalar_number_or_off(rd, 1, PLACES, &limits_of(into)->connections);
}

static int read_max_pending(struct reader *rd, void *into)
{
	((struct services_reading *)into)->lines[KEY_PENDING] = reader_line(rd);
	return scalar_number_or_off(rd, 1, PLACES, &limits_of(into)->pending);
}

static int read_endpoint_connections(struct reader *rd, void *into)
{
	((struct services_reading *)into)->lines[KEY_ENDPOINT_CONNECTIONS] = reader_line(rd);
	return scalar_number_or_off(rd, 1, PLACES, &limits_of(into)->endpoint_connections);
}

static int read_endpoint_pending(struct reader *rd, void *into)
{
	((struct services_reading *)into)->lines[KEY_ENDPOINT_PENDING] = reader_line(rd);
	return scalar_number_or_off(rd, 1, PLACES, &limits_of(into)->endpoint_pending);
}

static int read_rate(struct reader *rd, void *into)
{
	return scalar_number_or_off(rd, 1, RATE_MAX, &limits_of(into)->rate);
}

static int read_burst(struct reader *rd, void *into)
{
	((struct services_reading *)into)->lines[KEY_BURST] = reader_line(rd);
	return scalar_number(rd, 1, RATE_MAX, &limits_of(into)->burst);
}

int service_read_limits(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "max-connections", read_max_connections },
		{ "max-pending", read_max_pending },
		{ "max-connections-per-endpoint", read_endpoint_connections },
		{ "max-pending-per-endpoint", read_endpoint_pending },
		{ "connects-per-second", read_rate },
		{ "burst", read_burst },
	};

	return reader_mapping(rd, fields, NR(fields), into);
}

/* A limit @is that the other one @of keeps from ever being reached. */
static int check_below(struct reader *rd, unsigned line, const char *key, uint32_t is, const char *other, uint32_t of)
{
	if (!of || is <= of)
		return 0;
	return reader_fail_key(rd, line, key, "%u can never be reached: %s is %u", is, other, of);
}

int service_finish_limits(struct reader *rd, struct services_reading *x)
{
	struct limits *l = &x->service->limits;
	const unsigned *line = x->lines;
	int r;

	if (l->burst && !l->rate)
		return reader_fail_key(rd, line[KEY_BURST], "limits.burst",
				       "has no meaning without connects-per-second");
	if (l->rate && !l->burst)
		l->burst = l->rate; /* what a second allows may come at once */
	r = check_below(rd, line[KEY_PENDING], "limits.max-pending", l->pending, "max-connections", l->connections);
	if (!r)
		r = check_below(rd, line[KEY_ENDPOINT_CONNECTIONS], "limits.max-connections-per-endpoint",
				l->endpoint_connections, "max-connections", l->connections);
	if (!r)
		r = check_below(rd, line[KEY_ENDPOINT_PENDING], "limits.max-pending-per-endpoint", l->endpoint_pending,
				"max-connections-per-endpoint", l->endpoint_connections);
	if (!r)
		r = check_below(rd, line[KEY_ENDPOINT_PENDING], "limits.max-pending-per-endpoint", l->endpoint_pending,
				"max-pending", l->pending);
	return r;
}
