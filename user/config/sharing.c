/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Keys of a service that say which share of connections its endpoints get: slow start, panic, zones. */
#include "config/scalar.h"
#include "config/services.h"

#define NR(a)	   (sizeof(a) / sizeof((a)[0]))
#define WINDOW_MIN 100u
#define WINDOW_MAX (24u * 3600 * 1000)

static int read_window(struct reader *rd, void *into)
{
	return scalar_duration(rd, WINDOW_MIN, WINDOW_MAX, false,
			       &((struct services_reading *)into)->service->slow_start_ms);
}

static int read_min_percent(struct reader *rd, void *into)
{
	uint32_t percent = 0;
	int r;

	r = scalar_number(rd, 1, 99, &percent);
	if (!r)
		((struct services_reading *)into)->service->slow_start_percent = (uint8_t)percent;
	return r;
}

int service_read_slow_start(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = {
		{ "window", read_window },
		{ "min-percent", read_min_percent },
	};
	struct service *s = ((struct services_reading *)into)->service;
	unsigned line = reader_line(rd);
	int r;

	if (reader_at_word(rd))
		return scalar_duration(rd, WINDOW_MIN, WINDOW_MAX, true, &s->slow_start_ms);
	r = reader_mapping(rd, fields, NR(fields), into);
	if (!r && !s->slow_start_ms)
		return reader_fail_at(rd, line, "\"window\" is missing");
	return r;
}

int service_read_panic_threshold(struct reader *rd, void *into)
{
	uint32_t percent = 0;
	int r = 0;

	if (!scalar_is_off(rd))
		r = scalar_number(rd, 0, 100, &percent);
	if (!r)
		((struct services_reading *)into)->service->panic_percent = (uint8_t)percent;
	return r;
}

static int read_min_endpoints(struct reader *rd, void *into)
{
	return scalar_number(rd, 1, WEFT_ENDPOINTS_PER_SERVICE,
			     &((struct services_reading *)into)->service->zone_endpoints);
}

int service_read_zone_aware(struct reader *rd, void *into)
{
	static const struct reader_field fields[] = { { "min-endpoints", read_min_endpoints } };
	struct services_reading *x = into;

	x->lines[KEY_ZONE_AWARE] = reader_line(rd);
	if (reader_at_word(rd))
		return scalar_switch(rd, &x->service->zone_aware);
	x->service->zone_aware = true;
	return reader_mapping(rd, fields, NR(fields), into);
}
