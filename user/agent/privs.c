/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "agent/privs.h"
#include "base/cleanup.h"
#include "base/log.h"

static void cap_freep(cap_t *c)
{
	if (*c)
		cap_free(*c);
}

/*
 * BPF: reading and writing maps, and links of BPF. NET_ADMIN: attaching failover to network links that come later.
 * SYS_ADMIN and SYS_PTRACE: entering other network namespaces, to close connections of endpoints that drained.
 */
static const cap_value_t keep[] = { CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE };
#define NR_KEEP (sizeof(keep) / sizeof(keep[0]))

/* Sets the effective set to the permitted one, or to nothing. */
static int set_effective(bool on)
{
	_cleanup_(cap_freep) cap_t c = cap_get_proc();
	cap_flag_value_t permitted;

	if (!c)
		return -errno;
	if (cap_clear_flag(c, CAP_EFFECTIVE) == -1)
		return -errno;
	for (cap_value_t v = 0; on && v < cap_max_bits(); v++) {
		if (cap_get_flag(c, v, CAP_PERMITTED, &permitted) == -1 || permitted != CAP_SET)
			continue;
		if (cap_set_flag(c, CAP_EFFECTIVE, 1, &v, CAP_SET) == -1)
			return -errno;
	}
	return cap_set_proc(c) == -1 ? -errno : 0;
}

int privs_init(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -errno;
	return set_effective(false);
}

/* The bounding set is what exec could give back; shrinking it takes CAP_SETPCAP, and without that there is nothing to
 * give. */
static int drop_bounding(void)
{
	for (cap_value_t v = 0; v < cap_max_bits(); v++)
		if (cap_get_bound(v) == CAP_SET && cap_drop_bound(v) == -1 && errno != EPERM)
			return -errno;
	return 0;
}

int privs_drop(void)
{
	_cleanup_(cap_freep) cap_t had = cap_get_proc();
	_cleanup_(cap_freep) cap_t c = cap_init();
	cap_flag_value_t permitted;
	int r;

	if (!c || !had)
		return -ENOMEM;
	for (size_t i = 0; i < NR_KEEP; i++) {
		if (cap_get_flag(had, keep[i], CAP_PERMITTED, &permitted) == -1 || permitted != CAP_SET)
			continue;
		if (cap_set_flag(c, CAP_PERMITTED, 1, &keep[i], CAP_SET) == -1)
			return -errno;
	}
	privs_enter();
	r = drop_bounding();
	privs_leave();
	if (r < 0)
		return r;
	if (cap_reset_ambient() == -1 && errno != EINVAL)
		return -errno;
	return cap_set_proc(c) == -1 ? -errno : 0;
}

void privs_enter(void)
{
	int r = set_effective(true);

	if (r < 0)
		log_msg(LOG_L_DEBUG, "cannot raise capabilities: %s", log_strerror(r));
}

void privs_leave(void)
{
	int r = set_effective(false);

	if (r < 0)
		log_msg(LOG_L_DEBUG, "cannot lower capabilities: %s", log_strerror(r));
}
