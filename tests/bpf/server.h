/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Servers for the endpoints of a test, all in one process outside the scratch cgroup, so that what they do is not
 * counted. TCP: the first line says "ADDR:PORT" of the endpoint. UDP: each answer is "ADDR:PORT WORD" with the word
 * that was asked.
 */
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum server_does {
	SERVER_GREETS = 0, /* greeting, then reads until the client ends, and closes */
	SERVER_ECHOES,	   /* greeting, then every byte back; a thread for each connection */
	SERVER_RESETS,	   /* greeting, then RST */
	SERVER_CLOSES,	   /* greeting, then FIN first */
};

struct listener {
	const char *ip;
	uint16_t port;
	uint8_t proto;
	enum server_does does;
	unsigned delay_us; /* TCP: before the greeting; implies a thread for each connection */
};

#define TCP_AT(address, number)                                                                                        \
	{                                                                                                              \
		.ip = (address), .port = (number), .proto = IPPROTO_TCP                                                \
	}
#define UDP_AT(address, number)                                                                                        \
	{                                                                                                              \
		.ip = (address), .port = (number), .proto = IPPROTO_UDP                                                \
	}

/*
 * Forks, calls @prepare(@ctx) in the child when not NULL (non-zero: failure), listens, and returns the process id; -1
 * on failure. The process dies with its parent.
 */
pid_t server_start(const struct listener *l, size_t n, int (*prepare)(void *ctx), void *ctx);
void server_stop(pid_t pid);

/* Moves the calling process to the cgroup root, out of any test's. */
int leave_cgroup(void);

#endif
