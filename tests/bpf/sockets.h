/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sockets as an application uses them. Addresses are text; functions that make a socket return it or a negative errno.
 */
#ifndef TESTS_SOCKETS_H
#define TESTS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NAME_LEN 64 /* "[v6 address]:port" */

/* "10.99.0.1", "fd99::1", "::ffff:10.99.0.1". The length of the address, or 0 when the text is none. */
socklen_t sock_parse(const char *ip, uint16_t port, struct sockaddr_storage *ret);
/* "10.99.0.1:80", "[fd99::1]:80". Returns @text. */
char *sock_format(const struct sockaddr_storage *a, char text[NAME_LEN]);

/* Blocking; receives wait five seconds at most. */
int sock_tcp(const char *like_ip);
int sock_udp(const char *like_ip);
int sock_connect(int fd, const char *ip, uint16_t port); /* 0 or negative errno */
int sock_bind(int fd, const char *ip, uint16_t port);	 /* 0 or negative errno */
int sock_disconnect(int fd);				 /* connect(AF_UNSPEC) */
int tcp_to(const char *ip, uint16_t port);
int udp_to(const char *ip, uint16_t port);
/* Starts and does not wait: the socket, connecting or connected, or a negative errno. */
int tcp_start(const char *ip, uint16_t port);
/* Waits for a started connect. 0 or negative errno. */
int tcp_finish(int fd, int timeout_ms);

/* Text in a buffer of the calling thread, one for each function; "" on failure, with errno. */
const char *sock_peer(int fd);
const char *sock_name(int fd);
/* Who serves this connection, as the server says: TCP: reads its first line; UDP: asks. "" when nothing comes. */
const char *sock_greeting(int fd);

/* sendto() of @word, and recvfrom() into "who served" and "who it seems to come from". 0 or negative errno. */
int udp_send(int fd, const char *ip, uint16_t port, const char *word);
struct answer {
	char served_by[NAME_LEN];
	char word[NAME_LEN];
	char source[NAME_LEN];
};
int udp_receive(int fd, struct answer *ret);
/* Takes "served-by word" apart. 0 or -EPROTO. */
int udp_parse(const char *text, struct answer *ret);
/* Asks and takes the answer to this very @word. 0 or negative errno. */
int udp_ask(int fd, const char *ip, uint16_t port, const char *word, struct answer *ret);

void close_with_reset(int fd);

#endif
