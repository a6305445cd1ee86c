/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ZooKeeper: one session for all sources and announcements of a registry. */
#include "registry/providers.h"
#include "registry/zookeeper.h"

#define READS 1000 /* contents a second */

static int zk_open(struct registry *r)
{
	struct zk *z = (struct zk *)r;
	uint32_t reads = options_number(r->options, "reads-per-second", READS);
	int err = zk_servers_parse(z);

	if (err)
		return err;
	pace_init(&z->pace, reads, reads, uv_now(r->loop));
	zk_session_open(z);
	zk_doomed_open(z);
	zk_servers_follow(z);
	return 0;
}

void zk_handle_closed(struct zk *z)
{
	if (--z->handles == 0)
		registry_closed(&z->r);
}

static void zk_close(struct registry *r)
{
	struct zk *z = (struct zk *)r;

	zk_session_close(z, z->leave);
	zk_servers_close(z);
	zk_doomed_close(z);
}

static const char *const said[] = { "haproxy-server-options", "ttl", NULL };

const struct provider provider_zookeeper = {
	.said = said,
	.type = "zookeeper",
	.registry_size = sizeof(struct zk),
	.lookup_size = sizeof(struct zk_lookup),
	.announcement_size = sizeof(struct zk_announcement),
	.open = zk_open,
	.close = zk_close,
	.start = zk_start,
	.stop = zk_stop,
	.announce = zk_announce,
	.changed = zk_announce_changed,
	.withdraw = zk_announce_withdraw,
};
