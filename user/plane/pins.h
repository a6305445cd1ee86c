/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The folder of an instance in bpffs. */
#ifndef PLANE_PINS_H
#define PLANE_PINS_H

#include <stdbool.h>

#include "plane/plane.h"

/* Sees to it that @bpffs is a BPF file system, and that @dir below it and @dir/links are there, for root's eyes only.
 */
int pins_make(const char *bpffs, const char *dir, struct plane_error *err);
/* Is a link pinned in @dir? */
bool pins_attached(const char *dir);
/* Removes the folder and all below it. 0; -ENOENT: not there; else the first error met, after trying all. */
int pins_remove(const char *dir);

#endif
