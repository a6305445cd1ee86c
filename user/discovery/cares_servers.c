/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/cares_servers.h"
#include "dns/message.h"
#include "model/service.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define DNS_PORT    53

static void free_list(char **list)
{
	for (char **at = list; at && *at; at++)
		free(*at);
	free(list);
}

static int copy_list(char *const *from, size_t nr, char ***ret)
{
	char **list = calloc(nr + 1, sizeof(*list));

	for (size_t i = 0; list && i < nr; i++)
		if (!(list[i] = strdup(from[i]))) {
			free_list(list);
			return -ENOMEM;
		}
	*ret = list;
	return list ? 0 : -ENOMEM;
}

/* "10.0.0.1", "10.0.0.1:53", "fd00::1" or "[fd00::1]:53". */
static int add_server(struct servers *s, const char *text)
{
	char one[ADDR_TEXT_LEN];
	struct weft_addr addr;
	uint16_t port = DNS_PORT;
	char *csv;

	if (addr_parse(text, &addr) && addr_port_parse(text, &addr, &port))
		return -EINVAL;
	addr_port_format(&addr, port, one, sizeof(one));
	if (asprintf(&csv, "%s%s%s", s->csv ? s->csv : "", s->csv ? "," : "", one) < 0)
		return -ENOMEM;
	free(s->csv);
	s->csv = csv;
	return 0;
}

static int add_search(struct servers *s, char *const *search, char *text, size_t len)
{
	struct dns_name name;
	size_t nr = 0;

	for (; search && search[nr]; nr++)
		if (dns_name_parse(search[nr], &name)) {
			snprintf(text, len, "search: \"%s\" is no domain", search[nr]);
			return -EINVAL;
		}
	s->own_search = nr > 0;
	return copy_list(search, nr, &s->search);
}

int servers_init(struct servers *s, const struct cares_options *o, char *text, size_t len)
{
	int r = 0;

	*text = '\0';
	for (size_t i = 0; !r && o->servers && o->servers[i]; i++) {
		r = add_server(s, o->servers[i]);
		if (r == -EINVAL)
			snprintf(text, len,
				 "servers: \"%s\" is no address of a DNS server; write it as 10.0.0.1 or 10.0.0.1:53",
				 o->servers[i]);
	}
	if (!r)
		r = add_search(s, o->search, text, len);
	s->own_ndots = o->ndots >= 0;
	s->ndots = o->ndots >= 0 ? (unsigned)o->ndots : 1;
	return r;
}

void servers_done(struct servers *s)
{
	free(s->csv);
	free_list(s->search);
	*s = (struct servers){ 0 };
}

static int count_servers(struct servers *s, ares_channel channel)
{
	struct ares_addr_port_node *list = NULL;
	int status;

	status = ares_get_servers_ports(channel, &list);
	s->nr = 0;
	for (const struct ares_addr_port_node *at = list; at; at = at->next)
		s->nr++;
	if (list)
		ares_free_data(list);
	return status;
}

static int learn(struct servers *s, ares_channel channel)
{
	struct ares_options o = { 0 };
	char **search = NULL;
	int mask = 0, status;

	status = ares_save_options(channel, &o, &mask);
	if (status == ARES_SUCCESS && !s->own_search) {
		if (copy_list(o.domains, o.ndomains > 0 ? (size_t)o.ndomains : 0, &search) == 0) {
			free_list(s->search);
			s->search = search;
		} else {
			status = ARES_ENOMEM;
		}
	}
	if (status == ARES_SUCCESS && !s->own_ndots && o.ndots >= 0)
		s->ndots = (unsigned)o.ndots;
	ares_destroy_options(&o);
	return status;
}

static void take_stamp(struct stat *ret)
{
	if (stat(RESOLV_CONF, ret))
		*ret = (struct stat){ 0 };
}

int servers_apply(struct servers *s, ares_channel channel)
{
	int status = ARES_SUCCESS;

	if (s->csv)
		status = ares_set_servers_ports_csv(channel, s->csv);
	if (status == ARES_SUCCESS)
		status = count_servers(s, channel);
	/* The domains of this host mean nothing to servers that were chosen for a service. */
	return status == ARES_SUCCESS && !s->csv ? learn(s, channel) : status;
}

bool servers_changed(struct servers *s)
{
	struct stat now, *before = &s->stamp;
	bool same;

	if (s->csv)
		return false;
	take_stamp(&now);
	same = now.st_ino == before->st_ino && now.st_dev == before->st_dev && now.st_size == before->st_size &&
	       now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
	s->stamp = now;
	return !same;
}

unsigned servers_ndots(const struct servers *s)
{
	return s->ndots;
}

char *const *servers_search(const struct servers *s)
{
	return s->search;
}
