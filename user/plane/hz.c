/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ticks per second of the running kernel, in which sockops takes the time that a SYN waits. The coarse clocks advance
 * with each tick, and the kernel gives the length of one (TICK_NSEC) as their resolution: exact, for everybody to
 * read, on every architecture. So neither the kernel's configuration (which may be hidden) nor measuring is needed.
 */
#include <time.h>

#include "plane/state.h"

#define NSEC_PER_SEC 1000000000l
#define HZ_MIN	     24 /* the slowest and the fastest that Linux can be built with, with room above */
#define HZ_MAX	     4096

uint32_t kernel_hz(void)
{
	struct timespec tick;
	long hz;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == -1 || tick.tv_sec || tick.tv_nsec <= 0)
		return 0;
	hz = (NSEC_PER_SEC + tick.tv_nsec / 2) / tick.tv_nsec;
	return hz < HZ_MIN || hz > HZ_MAX ? 0 : (uint32_t)hz;
}
