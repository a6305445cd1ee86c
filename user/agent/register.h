/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The checks of local endpoints that registries are told of (`register:`). Inside agent/ only. */
#ifndef AGENT_REGISTER_H
#define AGENT_REGISTER_H

#include "agent/state.h"

/* Begins, changes and ends checks as @c wants them. */
void register_apply(struct agent *a, const struct config *c);
void register_done(struct agent *a);

#endif
