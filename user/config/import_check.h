/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Nerve's checks. Inside config/ only. */
#ifndef CONFIG_IMPORT_CHECK_H
#define CONFIG_IMPORT_CHECK_H

#include "config/import_inside.h"

/* The checks of @service, whose port is @port, as one health-check. */
int import_checks(struct import *x, const struct node *service, unsigned port, FILE *out);

#endif
