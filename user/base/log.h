/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Messages for people, on stderr. Lower case, no full stop, no newline; they say what happens next. Only agent/ and
 * cli/ log above debug. When stderr is the journal (JOURNAL_STREAM) each line carries its "<N>" priority; else a
 * terminal gets plain words.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

enum log_level { LOG_L_ERROR = 3, LOG_L_WARNING = 4, LOG_L_INFO = 6, LOG_L_DEBUG = 7 }; /* syslog's numbers */

/* Reads JOURNAL_STREAM and WEFT_LOG (error, warning, info, debug). Call once at start. */
void log_init(void);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vmsg(enum log_level level, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Logs "FMT: <text of r>" as an error and returns @r, a negative errno. */
int log_err(int r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text of a negative errno, the kernel's own 524 (ENOTSUPP) included. Static storage or the thread's own. */
const char *log_strerror(int r);

#endif
