/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The error-rate breaker: "breaker" of a service. */
#include "config/scalar.h"
#include "config/services.h"

#define NR(a)	      (sizeof(a) / sizeof((a)[0]))
#define ERROR_PERCENT 50
#define SLEEP_MIN     10u
#define SLEEP_MAX     (3600u * 1000)

static int read_error_percent(struct reader *rd, void *into)
{
	uint32_t percent = 0;
	int r;

	r = scalar_number(rd, 1, 100, &percent);
	if (!r)
		((struct breaker *)into)->percent = (uint8_t)percent;
	return r;
}

static int read_min_connects(struct reader *rd, void *into)
{
	return scalar_number(rd, 1, 1000000, &((struct breaker *)into)->volume);
}

static int read_sleep_window(struct reader *rd, void *into)
{
	return scalar_duration(rd, SLEEP_MIN, SLEEP_MAX, false, &((struct breaker *)into)->sleep_ms);
}

int service_read_breaker(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "error-percent", read_error_percent },
		{ "min-connects", read_min_connects },
		{ "sleep-window", read_sleep_window },
	};
	struct services_reading *x = into;
	struct breaker *b = &x->service->breaker;
	bool on = true;
	int r;

	x->lines[KEY_BREAKER] = reader_line(rd);
	if (reader_at_word(rd)) {
		r = scalar_switch(rd, &on);
		if (!r)
			b->percent = on ? ERROR_PERCENT : 0;
		return r;
	}
	b->percent = ERROR_PERCENT;
	return reader_mapping(rd, fields, NR(fields), b);
}
