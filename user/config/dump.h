/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Parts of the normal form. Inside config/ only. */
#ifndef CONFIG_DUMP_H
#define CONFIG_DUMP_H

#include <stdio.h>

#include "model/service.h"

/* A quoted scalar. Control characters were refused when it was read. */
void dump_text(FILE *out, const char *text);
void dump_resilience(const struct service *s, FILE *out);

#endif
