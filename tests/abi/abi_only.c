/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* abi.h alone, compiled by both compilers with -Wpadded -Werror: the layout has no hole that nobody named. */
#include "weft/abi.h"

extern int abi_only;
int abi_only;
