/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Parts of the normal form. Inside config/ only. */
#ifndef CONFIG_DUMP_H
#define CONFIG_DUMP_H

#include <stdio.h>

#include "config/config.h"

/* A quoted scalar. Control characters were refused when it was read. */
void dump_text(FILE *out, const char *text);
void dump_resilience(const struct service *s, FILE *out);
void dump_check(const struct health_check *c, FILE *out); /* as a key of something that is indented by four */
void dump_registries(const struct config *c, FILE *out);
void dump_discover(const struct config *c, const struct service *s, FILE *out);

#endif
