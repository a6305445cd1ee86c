/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The parts of `weft dump`. Inside cli/ only. */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include "cli/report.h"

/* A member of a record that is a number. */
struct dump_field {
	const char *key, *title;
	uint16_t at, size; /* bytes */
};
#define DUMP_FIELD(type, member, title)                                                                                \
	{                                                                                                              \
#member, title, __builtin_offsetof(type, member), sizeof(((type *)NULL)->member)                       \
	}
/* Columns of fields behind @nr that are there; returns how many there are then. */
size_t dump_columns(struct out_column *columns, size_t nr, const struct dump_field *fields, size_t nr_fields);
void dump_cells(const void *record, const struct dump_field *fields, size_t nr, struct out *o);

void dump_specs(const struct view *v, struct out *o);
void dump_bstate(const struct view *v, struct out *o);
void dump_sstate(const struct view *v, struct out *o);

/* 0 or negative errno. */
int dump_handshakes(const struct view *v, struct out *o);
int dump_nat(const struct maps *m, struct out *o);

#endif
