/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Starts a program that has nothing of ours: no capabilities, no descriptors, no signals blocked. Inside health/ only.
 */
#ifndef HEALTH_SPAWN_H
#define HEALTH_SPAWN_H

#include <sys/types.h>

#define SPAWN_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * @argv and @env end with NULL, argv[0] is the file. It runs in "/", leads a process group of its own, reads nothing
 * and writes to a pipe whose other end is *ret_out, non-blocking. 0; or negative errno, also when the file cannot be
 * run, and there is no process.
 */
int spawn(char *const *argv, char *const *env, pid_t *ret_pid, int *ret_out);

#endif
