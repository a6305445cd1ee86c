/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Services as files, for programs that read what Synapse's file_output writes: DIR/<service>.json is a JSON array of
 * backend objects, put in place by rename, and left alone when it says the same already. DIR/.weft-<instance>.list
 * names the files that this instance wrote, and those are the only ones that it ever removes.
 */
#ifndef DISCOVERY_OUTPUT_H
#define DISCOVERY_OUTPUT_H

#include "discovery/discovery.h"

struct output;

/* Touches nothing yet. 0 or -ENOMEM. */
int output_new(const char *dir, const char *instance, struct output **ret);
void output_free(struct output *o); /* the files stay; NULL is fine */
const char *output_dir(const struct output *o);

/*
 * The services of @m (sealed) are what there is from now on; @d (NULL: none) says names and labels. Cheap when nothing
 * changed; writes nothing yet. 0 or -ENOMEM.
 */
int output_set(struct output *o, const struct discovery *d, const struct model *m);

/*
 * Writes or removes at most @most files of what is to be done, so that the loop can turn in between; makes the folder
 * when it is missing. 1: there is more to do; 0: all is as it should be; negative errno: *text says what went wrong,
 * and the next call goes on from there.
 */
int output_step(struct output *o, const struct discovery *d, unsigned most, char *text, size_t len);

/* The name of the file of @service: what cannot be in one is written as %XX. @len of 3 * WEFT_NAME_LEN + 8 suffices.
 * Returns @text. */
char *output_name(const char *service, char *text, size_t len);

#endif
