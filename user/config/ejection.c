/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Passive ejection of endpoints that fail: "ejection" of a service. */
#include "config/scalar.h"
#include "config/services.h"

#define NR(a)	     (sizeof(a) / sizeof((a)[0]))
#define TIME_MIN     1u
#define TIME_MAX     (24u * 3600 * 1000)
#define INTERVAL_MIN 100u
#define INTERVAL_MAX (3600u * 1000)

struct ejection_reading {
	struct ejection *e;
	unsigned base_line, max_line; /* 0: not written */
};

static struct ejection *ejection_of(void *into)
{
	return ((struct ejection_reading *)into)->e;
}

static int read_failures(struct reader *rd, void *into)
{
	return scalar_number_or_off(rd, 1, 1000000, &ejection_of(into)->failures);
}

static int read_base_time(struct reader *rd, void *into)
{
	((struct ejection_reading *)into)->base_line = reader_line(rd);
	return scalar_duration(rd, TIME_MIN, TIME_MAX, false, &ejection_of(into)->base_ms);
}

static int read_max_time(struct reader *rd, void *into)
{
	((struct ejection_reading *)into)->max_line = reader_line(rd);
	return scalar_duration(rd, TIME_MIN, TIME_MAX, false, &ejection_of(into)->max_ms);
}

static int read_interval(struct reader *rd, void *into)
{
	return scalar_duration(rd, INTERVAL_MIN, INTERVAL_MAX, false, &ejection_of(into)->interval_ms);
}

static int read_percent(struct reader *rd, void *into)
{
	uint32_t percent = 0;
	int r;

	r = scalar_number(rd, 1, 100, &percent);
	if (!r)
		ejection_of(into)->percent = (uint8_t)percent;
	return r;
}

static int read_rate_endpoints(struct reader *rd, void *into)
{
	return scalar_number(rd, 2, WEFT_ENDPOINTS_PER_SERVICE, &ejection_of(into)->rate_endpoints);
}

static int read_rate_connects(struct reader *rd, void *into)
{
	return scalar_number(rd, 1, 1000000, &ejection_of(into)->rate_volume);
}

static int read_rate_stdev(struct reader *rd, void *into)
{
	return scalar_thousandths(rd, 1, 10000, &ejection_of(into)->rate_stdev);
}

#define RATE_ENDPOINTS 5

static int read_success_rate(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "min-endpoints", read_rate_endpoints },
		{ "min-connects", read_rate_connects },
		{ "stdev-factor", read_rate_stdev },
	};
	struct ejection *e = ejection_of(into);
	bool on = true;
	int r;

	if (reader_at_word(rd)) {
		r = scalar_switch(rd, &on);
		if (!r)
			e->rate_endpoints = on ? RATE_ENDPOINTS : 0;
		return r;
	}
	e->rate_endpoints = RATE_ENDPOINTS;
	return reader_mapping(rd, fields, NR(fields), into);
}

/* A time that was not written follows the one that was. */
static int check_times(struct reader *rd, struct ejection_reading *x)
{
	struct ejection *e = x->e;
	char base[DURATION_TEXT_LEN], max[DURATION_TEXT_LEN];

	if (e->base_ms <= e->max_ms)
		return 0;
	if (x->base_line && x->max_line)
		return reader_fail_key(rd, x->base_line, "base-time", "%s is more than max-time, %s",
				       duration_format(e->base_ms, base, sizeof(base)),
				       duration_format(e->max_ms, max, sizeof(max)));
	if (x->base_line)
		e->max_ms = e->base_ms;
	else
		e->base_ms = e->max_ms;
	return 0;
}

int service_read_ejection(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "consecutive-failures", read_failures },
		{ "base-time", read_base_time },
		{ "max-time", read_max_time },
		{ "interval", read_interval },
		{ "max-ejected-percent", read_percent },
		{ "success-rate", read_success_rate },
	};
	struct services_reading *x = into;
	struct ejection_reading reading = { .e = &x->service->ejection };
	unsigned line = x->lines[KEY_EJECTION] = reader_line(rd);
	int r;

	if (reader_at_word(rd))
		return scalar_switch(rd, &x->service->ejection.on);
	r = reader_mapping(rd, fields, NR(fields), &reading);
	if (!r)
		r = check_times(rd, &reading);
	if (!r && !reading.e->failures && !reading.e->rate_endpoints)
		return reader_fail_at(rd, line,
				      "ejects nothing, with consecutive-failures and success-rate off; write "
				      "\"ejection: off\"");
	return r;
}
