/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Keys of a service about single connections: how long they may take to stand, and what ends them. */
#include <string.h>

#include "config/scalar.h"
#include "config/services.h"

#define CONNECT_MIN_MS 20u
#define CONNECT_MAX_MS 127000u /* what a kernel's own SYN retries take */
#define DRAIN_MIN_MS   1u
#define DRAIN_MAX_MS   (7u * 24 * 3600 * 1000)

int service_read_connect_timeout(struct reader *rd, void *into)
{
	struct services_reading *x = into;

	x->lines[KEY_CONNECT_TIMEOUT] = reader_line(rd);
	return scalar_duration(rd, CONNECT_MIN_MS, CONNECT_MAX_MS, true, &x->service->connect_timeout_ms);
}

int service_read_failover(struct reader *rd, void *into)
{
	struct services_reading *x = into;

	x->lines[KEY_FAILOVER] = reader_line(rd);
	return scalar_switch(rd, &x->service->failover);
}

/* 0 could be meant as "at once" and as "never". */
int service_read_drain_timeout(struct reader *rd, void *into)
{
	struct services_reading *x = into;
	const char *text;
	int r;

	r = reader_word(rd, &text);
	if (r)
		return r;
	if (!strcmp(text, "0"))
		return reader_fail(rd, "0 can be taken two ways; write 1ms to close connections at once, off to let "
				       "them be");
	return scalar_duration(rd, DRAIN_MIN_MS, DRAIN_MAX_MS, true, &x->service->drain_ms);
}
