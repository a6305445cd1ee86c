/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The file source: weft.yaml's own services and those of the files that its `sources:` name. Parsed files are kept, so
 * that a reload reads only what changed (device, inode, size, mtime, ctime) and services of untouched files stay the
 * same objects. Does I/O, knows no map. Watching is the caller's: it asks file_source_folders() what to watch and calls
 * file_source_read() when something moved.
 */
#ifndef DISCOVERY_FILE_H
#define DISCOVERY_FILE_H

#include "config/config.h"

struct file_source;

int file_source_new(const char *config_file, struct file_source **ret); /* reads nothing yet; 0 or -ENOMEM */
void file_source_free(struct file_source *s);				/* NULL is fine */

/*
 * Reads what changed. 0: *ret_model is the new sealed model (caller frees) and *ret_config the settings (borrowed until
 * the next successful read). Negative errno: *ret_error says why, and the source stands where it stood: last good
 * state, and the next call tries again.
 */
int file_source_read(struct file_source *s, const struct config **ret_config, struct model **ret_model,
		     struct config_error *ret_error);

/*
 * The same when the caller saw which files changed: looks only at @changed (full paths, a folder of
 * file_source_folders() + "/" + name; NULL terminated) instead of at every file there is, so that one change among
 * 10,000 files costs a millisecond. Reads everything by itself when that is not enough: after a failed read, for
 * weft.yaml itself, for folders and for names that begin with "..".
 */
int file_source_read_changed(struct file_source *s, const char *const *changed, const struct config **ret_config,
			     struct model **ret_model, struct config_error *ret_error);

/* Folders whose changes matter: those of weft.yaml and of each source pattern. NULL terminated, borrowed until the next
 * read. */
char *const *file_source_folders(const struct file_source *s);

/* How many files the last read parsed, and how many it knows. */
void file_source_stats(const struct file_source *s, unsigned *ret_parsed, unsigned *ret_files);

#endif
