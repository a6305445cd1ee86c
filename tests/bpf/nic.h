/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Network links of the test's own namespace, what is attached to them, and what the mesh says is. */
#ifndef TESTS_NIC_H
#define TESTS_NIC_H

#include <bpf/bpf.h>
#include <linux/pkt_sched.h>

#include "harness.h"
#include "plane/tc.h"

#define LO	    1
#define TCX_INGRESS ((enum bpf_attach_type)46) /* the headers here may be older than the kernel */
#define TCX_EGRESS  ((enum bpf_attach_type)47)

int given_veth(const char *name, const char *peer); /* its ifindex */
void link_rename(int ifindex, const char *name);
void link_up_down(int ifindex, bool up);
void link_move(int ifindex, pid_t to);	    /* into the network namespace of that process */
void link_enslave(int ifindex, int bridge); /* 0: sets it free */
void link_remove(int ifindex);
int given_bridge(const char *name);

unsigned nr_filters(int ifindex, uint32_t parent);
#define FILTERS_IN(ifindex)  nr_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS))
#define FILTERS_OUT(ifindex) nr_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS))
bool has_clsact(int ifindex);
/* The programs at a hook of tcx, in the order in which they run; returns how many. */
uint32_t tcx_programs(int ifindex, enum bpf_attach_type hook, uint32_t ids[8]);

/* What another mesh has: a program that lets every packet pass, and asks nobody further. */
int foreign_program(void);
void given_foreign_filter(int ifindex);
bool foreign_filter_is_there(int ifindex);

int own_namespace(void); /* a descriptor of it */
uint64_t own_cookie(void);
pid_t given_inhabitant(void); /* a process that does nothing, in the namespace in which this is called */

/* Of the mesh. */
size_t nr_pins(void);
struct plane_tc listed(int ifindex); /* .ifindex 0: not listed */
bool is_attached(int ifindex);
void attach(int ifindex);
void unload(void);
void restart(void); /* another agent, as after an upgrade: same maps, programs loaded anew */

#endif
