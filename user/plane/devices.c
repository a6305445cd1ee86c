/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "base/cleanup.h"
#include "plane/devices.h"

#define EVENTS_BYTES (1 << 20) /* asked for; the kernel may give less, and tells when it was too little */
#define LIST_TRIES   5	       /* links may change while they are listed */

struct devices {
	struct nl_sock *events, *ask;
	device_fn fn; /* of the call that is going on */
	void *ctx;
};

/* libnl has numbers of its own. */
static int to_errno(int r)
{
	switch (-r) {
	case 0:
		return 0;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_NOMEM: /* ENOBUFS, too */
		return -ENOBUFS;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_INTR:
		return -EINTR;
	case NLE_DUMP_INTR:
		return -EBUSY;
	case NLE_AF_NOSUPPORT:
	case NLE_PROTO_MISMATCH:
		return -EAFNOSUPPORT; /* netlink is forbidden to this process */
	default:
		return -EIO;
	}
}

/* Messages of bridges about their ports come by the same group, and "gone" means there: no port any more. */
static int on_message(struct nl_msg *msg, void *arg)
{
	struct devices *d = arg;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	const struct ifinfomsg *info = nlmsg_data(h);
	struct device device = { 0 };
	struct nlattr *name;

	if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) || !nlmsg_valid_hdr(h, sizeof(*info)) ||
	    info->ifi_family != AF_UNSPEC || info->ifi_index <= 0)
		return NL_OK;
	device.ifindex = info->ifi_index;
	device.arphrd = info->ifi_type;
	device.gone = h->nlmsg_type == RTM_DELLINK;
	name = nlmsg_find_attr(h, sizeof(*info), IFLA_IFNAME);
	if (name)
		nla_strlcpy(device.name, name, sizeof(device.name));
	d->fn(d->ctx, &device);
	return NL_OK;
}

static int open_socket(struct devices *d, struct nl_sock **ret)
{
	struct nl_sock *s = nl_socket_alloc();

	*ret = s;
	if (!s)
		return -ENOMEM;
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, on_message, d);
	return to_errno(nl_connect(s, NETLINK_ROUTE));
}

static void devices_closep(struct devices **d)
{
	devices_close(*d);
}

int devices_open(struct devices **ret)
{
	_cleanup_(devices_closep) struct devices *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = open_socket(d, &d->ask);
	if (r == 0)
		r = open_socket(d, &d->events);
	if (r < 0)
		return r;
	nl_socket_disable_seq_check(d->events);
	nl_socket_set_buffer_size(d->events, EVENTS_BYTES, 0);
	r = nl_socket_set_nonblocking(d->events);
	if (r == 0)
		r = nl_socket_add_membership(d->events, RTNLGRP_LINK);
	if (r < 0)
		return to_errno(r);
	*ret = MOVE(d, NULL);
	return 0;
}

void devices_close(struct devices *d)
{
	if (!d)
		return;
	nl_socket_free(d->events);
	nl_socket_free(d->ask);
	free(d);
}

int devices_fd(const struct devices *d)
{
	return nl_socket_get_fd(d->events);
}

int devices_list(struct devices *d, device_fn fn, void *ctx)
{
	struct ifinfomsg all = { .ifi_family = AF_UNSPEC };
	int r = -EBUSY;

	d->fn = fn;
	d->ctx = ctx;
	for (int i = 0; i < LIST_TRIES && (r == -EBUSY || r == -EINTR); i++) {
		r = nl_send_simple(d->ask, RTM_GETLINK, NLM_F_DUMP, &all, sizeof(all));
		r = to_errno(r < 0 ? r : nl_recvmsgs_default(d->ask));
	}
	return r;
}

int devices_read(struct devices *d, device_fn fn, void *ctx)
{
	int r;

	d->fn = fn;
	d->ctx = ctx;
	do
		r = to_errno(nl_recvmsgs_default(d->events));
	while (r == 0 || r == -EINTR);
	return r == -EAGAIN ? 0 : r;
}
