/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Words to the service manager, sd_notify(3)'s protocol: datagrams to $NOTIFY_SOCKET. Without that variable all of this
 * is nothing. */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include <stdint.h>

/* Sends one message, lines of NAME=VALUE. 0 also when nobody asked to be told; negative errno when sending failed. */
int notify_send(const char *message);
int notify_ready(const char *status);
int notify_status(const char *status);
int notify_reloading(void); /* notify_ready() must follow */
int notify_stopping(void);
int notify_watchdog(void);
/* How often notify_watchdog() must be called in milliseconds: half of what the manager waits. 0: it does not wait. */
uint64_t notify_watchdog_ms(void);

#endif
