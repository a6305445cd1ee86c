/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The names of the files in a folder that are ours, kept there in a file of their own. Inside discovery/ only. */
#ifndef DISCOVERY_OURS_H
#define DISCOVERY_OURS_H

#include <stdbool.h>
#include <stddef.h>

/* A set of names, sorted. */
struct names_set {
	char **at;
	size_t nr, capacity;
};

int names_set_add(struct names_set *s, const char *name); /* at the end; 0 or -ENOMEM */
void names_set_sort(struct names_set *s);		  /* each is left once */
bool names_set_has(const struct names_set *s, const char *name);
void names_set_done(struct names_set *s);

struct ours {
	char *list; /* name of the file */
	struct names_set names;
	bool known;  /* the file was read */
	bool listed; /* it says .names */
};

/* 0 or negative errno; a file that holds no list is an empty one. */
int ours_read(struct ours *o, int dir);
int ours_write(struct ours *o, int dir); /* 0 or negative errno */
void ours_done(struct ours *o);

#endif
