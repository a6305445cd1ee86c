/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Many threads that connect at once, each holding a few connections, and end them in one way. */
#ifndef TESTS_CRUSH_H
#define TESTS_CRUSH_H

#include <stdbool.h>
#include <stdint.h>

enum crush_end {
	CRUSH_CLIENT_CLOSES, /* first */
	CRUSH_SERVER_CLOSES, /* first, as a census does when it gets a byte */
	CRUSH_RESETS,	     /* the client's RST */
};

struct crush {
	const char *vip;
	uint16_t port;
	bool udp;
	bool unfinished; /* TCP: handshakes are begun and not waited for */
	enum crush_end end;
	unsigned threads, hold; /* connections that each thread wants to have; hold < each */
	uint64_t each;		/* connects of each thread */
	uint64_t until_ns;	/* 0, or when to stop before that; CLOCK_MONOTONIC */
	/* told afterwards */
	uint64_t taken, refused; /* 0 and ECONNREFUSED */
	uint64_t trouble;	 /* any other; the last one is in .error, a negative errno */
	int error;
	uint32_t most; /* held at once by all threads, from after connect() to before close() */
};

/* Runs it. 0 or -EINVAL. */
int crush_run(struct crush *c);
/* Ends one connection. 0 or a negative errno. */
int crush_end(const struct crush *c, int fd);

uint64_t crush_clock_ns(void);

#endif
