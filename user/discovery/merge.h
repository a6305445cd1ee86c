/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The model after a few services changed, without sorting all of them again. */
#ifndef DISCOVERY_MERGE_H
#define DISCOVERY_MERGE_H

#include <stdbool.h>

#include "model/model.h"

#define CHANGES_MAX 64

struct changes {
	struct service *gone[CHANGES_MAX], *come[CHANGES_MAX]; /* borrowed */
	size_t nr_gone, nr_come;
	bool many; /* more than fit: sort anew */
};

/* Notes what is in one of the two and not in the other, by object; either may be NULL. */
void changes_note(struct changes *c, const struct model *before, const struct model *after);

/* @sealed with @c. -EEXIST: two services of one name; -ENOMEM. */
int changes_apply(const struct changes *c, const struct model *sealed, struct model **ret);

#endif
