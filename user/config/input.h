/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Opening a file to be read. Inside config/ only. */
#ifndef CONFIG_INPUT_H
#define CONFIG_INPUT_H

#include "config/yaml.h"

/* Opens a regular file of a sensible size; never waits (a FIFO would). 0 or a negative errno with the error set. */
int input_open(const char *file, struct reader_input *ret, struct config_error *ret_error);

static inline void input_close(struct reader_input *in)
{
	if (in->fd >= 0)
		close(in->fd);
}

#endif
