/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The words of weft.yaml for the enums of the ABI. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "model/service.h"

struct word {
	const char *name;
	const char *text;
};

static const struct word lbs[] = {
#define X(id, name, text) [WEFT_LB_##id] = { name, text },
	WEFT_LBS(X)
#undef X
};

static const char *const clients[] = {
	[WEFT_CLIENT_NONE] = "none",
	[WEFT_CLIENT_ADDRESS] = "address",
	[WEFT_CLIENT_WORKLOAD] = "workload",
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

const char *lb_name(unsigned lb)
{
	return lb < NR(lbs) ? lbs[lb].name : "unknown";
}

const char *lb_text(unsigned lb)
{
	return lb < NR(lbs) ? lbs[lb].text : "unknown";
}

int lb_from_name(const char *name)
{
	for (size_t i = 0; i < NR(lbs); i++)
		if (!strcmp(lbs[i].name, name))
			return (int)i;
	return -EINVAL;
}

const char *client_name(unsigned client)
{
	return client < NR(clients) ? clients[client] : "unknown";
}

int client_from_name(const char *name)
{
	for (size_t i = 0; i < NR(clients); i++)
		if (!strcmp(clients[i], name))
			return (int)i;
	return -EINVAL;
}

const char *proto_name(unsigned proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "unknown";
}

int proto_from_name(const char *name)
{
	return !strcmp(name, "tcp") ? IPPROTO_TCP : !strcmp(name, "udp") ? IPPROTO_UDP : -EINVAL;
}
