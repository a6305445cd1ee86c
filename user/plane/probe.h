/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef PLANE_PROBE_H
#define PLANE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Is there an iterator over socket storage? */
bool probe_iterator(char *detail, size_t len);
/* Lists the programs at the cgroup root that are not ours. */
bool probe_neighbours(char *detail, size_t len);
/* Can programs be attached to network links by links of BPF? */
bool probe_tcx(char *detail, size_t len);
/* Are the helpers there that failover calls? */
bool probe_failover(char *detail, size_t len);

#endif
