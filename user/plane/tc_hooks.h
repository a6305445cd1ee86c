/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The two ways of attaching to a link, inside plane/ only. tcx (6.6) has links of BPF: pinned, swapped in place, gone
 * when the pin is. clsact has filters, which stay in the kernel by themselves; what is ours among them is told by the
 * programs that are pinned beside.
 */
#ifndef PLANE_TC_HOOKS_H
#define PLANE_TC_HOOKS_H

#include <stdint.h>

#include "plane/plane.h"

enum tc_direction { TC_EGRESS, TC_INGRESS, TC_DIRECTION_MAX };
extern const char *const tc_direction_names[TC_DIRECTION_MAX]; /* "egress", "ingress" */

/* Each attaches both programs to link @ifindex of this network namespace, or puts them in the place of those that this
 * instance (whose pins are in @dir) has there. 0, or negative errno and nothing of a fresh attempt stays; -ENODEV: no
 * such link. */
int tcx_attach(const char *dir, int ifindex, const int fd[TC_DIRECTION_MAX], struct plane_error *err);
int clsact_attach(const char *dir, int ifindex, const int fd[TC_DIRECTION_MAX], struct plane_error *err);

/* Each removes what this instance has at @ifindex, wherever that link is now. 0, also when there was nothing. */
int tcx_detach(const char *dir, int ifindex);
int clsact_detach(const char *dir, int ifindex);

/* The id of the program at the hook, 0: none of ours is there any more. */
uint32_t tcx_program(const char *dir, int ifindex, enum tc_direction d);
uint32_t clsact_program(const char *dir, int ifindex, enum tc_direction d);

/* The id of a program, 0 when it cannot be told. */
uint32_t tc_program_id(int fd);

/* Can links of tcx be made? */
bool kernel_has_tcx(void);

#endif
