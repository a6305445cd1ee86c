/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Capabilities are held, not used: none is effective but between privs_enter() and privs_leave(), so that whatever
 * reads files and requests has none. Capabilities belong to threads: each brackets its own calls.
 */
#ifndef AGENT_PRIVS_H
#define AGENT_PRIVS_H

/* At start, before anything from outside is read: effective set empty, no new privileges by exec. 0 or negative errno.
 */
int privs_init(void);
/* After attach and before the second thread: what is not needed any more can never be had again; CAP_BPF and
 * CAP_NET_ADMIN stay. 0 or negative errno. */
int privs_drop(void);

/* Everything permitted becomes effective; leave undoes that. They do not fail where they could be called at all. */
void privs_enter(void);
void privs_leave(void);

#endif
