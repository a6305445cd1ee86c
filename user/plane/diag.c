/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plane/diag.h"

int diag_open(void)
{
	_cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval patience = { .tv_sec = 5 };

	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == -1)
		return -errno;
	return MOVE(fd, -1);
}

/* Of an IPv4-mapped address the last four bytes; the kernel finds sockets of both families by them. */
static void set_address(const struct weft_addr *a, bool v4, __be32 to[4])
{
	if (v4)
		memcpy(&to[0], &a->byte[12], 4);
	else
		memcpy(to, a->byte, 16);
}

static int read_answer(int fd)
{
	union {
		struct nlmsghdr header;
		char byte[4096];
	} answer;
	const struct nlmsgerr *e = NLMSG_DATA(&answer.header);
	ssize_t n;

	do
		n = recv(fd, &answer, sizeof(answer), 0);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*e)) || answer.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return e->error;
}

int diag_destroy(int fd, const struct weft_flow_record *r)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 req;
	} m = { .header = { .nlmsg_len = sizeof(m),
			    .nlmsg_type = SOCK_DESTROY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	bool v4 = weft_addr_is_v4(&r->remote);

	m.req.sdiag_family = v4 ? AF_INET : AF_INET6;
	m.req.sdiag_protocol = r->flow.proto;
	m.req.idiag_states = ~0u;
	m.req.id.idiag_sport = r->local_port_be;
	m.req.id.idiag_dport = r->remote_port_be;
	set_address(&r->local, v4, m.req.id.idiag_src);
	set_address(&r->remote, v4, m.req.id.idiag_dst);
	/* With the cookie nobody else is hit who has the address by now. */
	m.req.id.idiag_cookie[0] = r->cookie ? (__u32)r->cookie : INET_DIAG_NOCOOKIE;
	m.req.id.idiag_cookie[1] = r->cookie ? (__u32)(r->cookie >> 32) : INET_DIAG_NOCOOKIE;
	if (send(fd, &m, sizeof(m), 0) == -1)
		return -errno;
	return read_answer(fd);
}
