/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a registry says of the workloads of this node, kept in a file of the state folder for whoever has to say whose a
 * cgroup is: lines of "UID NAMESPACE NAME ACCOUNT", sorted, "-" for no account. Inside discovery/ only.
 */
#ifndef DISCOVERY_WORKLOADS_H
#define DISCOVERY_WORKLOADS_H

#define WORKLOADS_FILE "workloads"

struct discovery;

/* Some registry's have changed: written soon. */
void workloads_changed(struct discovery *d);
void workloads_open(struct discovery *d);
void workloads_close(struct discovery *d); /* writes what is not written yet; discovery_handle_closed() follows */

#endif
