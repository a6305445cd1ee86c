/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which files source patterns name, and which folders to watch for them. */
#ifndef DISCOVERY_PATHS_H
#define DISCOVERY_PATHS_H

#include <stdbool.h>
#include <stddef.h>

struct path {
	char *text;
	bool wanted; /* named without a pattern: it must be there */
};

struct paths {
	struct path *path; /* sorted, no two alike */
	size_t nr, capacity;
};

void paths_done(struct paths *p);

/* The files of @patterns (NULL terminated). 0, or a negative errno with the folder that cannot be read in @ret_folder
 * (@len bytes). */
int paths_find(char *const *patterns, struct paths *ret, char *ret_folder, size_t len);
/* The folders of @file and of @patterns that are there, or else the nearest above. */
int paths_folders(const char *file, char *const *patterns, struct paths *ret);

bool path_is_pattern(const char *text);
bool path_matches(const char *path, char *const *patterns);

#endif
