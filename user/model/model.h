/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* All services that are wanted, sorted by name. Owns one reference on each. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "model/service.h"

struct model {
	struct service **services; /* sorted by strcmp of their names after model_seal() */
	size_t nr;
	size_t capacity;
};

struct model *model_new(void);	  /* NULL: no memory */
void model_free(struct model *m); /* NULL is fine */
static inline void model_freep(struct model **m)
{
	model_free(*m);
}

int model_add(struct model *m, struct service *s); /* takes a reference of its own; 0 or -ENOMEM */

/*
 * Sorts, and looks for names and frontends (address, port, protocol) that are there twice. 0; -ENOMEM; -EEXIST with the
 * two services in ret_first and ret_second (first = the one met first by file order of adding) and the frontend in
 * ret_frontend, or NULL there when the name is what they share. The pointers live as long as the model.
 */
int model_seal(struct model *m, const struct service **ret_first, const struct service **ret_second,
	       const struct frontend **ret_frontend);

struct service *model_find(const struct model *m, const char *name); /* NULL: not there; borrowed */
size_t model_count_endpoints(const struct model *m);

#endif
