/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The files of an import. */
#ifndef CLI_IMPORT_FILES_H
#define CLI_IMPORT_FILES_H

#include "config/import.h"

/* A configuration with the files of its service_conf_dir, sorted by name. */
struct import_files {
	struct import_part file;
	struct import_part *services;
	size_t nr;
};

/* 0 or a negative errno with the error set. */
int import_files_read(const char *path, struct import_files *ret, struct config_error *ret_error);
void import_files_done(struct import_files *f);

#endif
