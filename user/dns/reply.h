/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The answer to one message that somebody sent to the responder. Pure. */
#ifndef DNS_REPLY_H
#define DNS_REPLY_H

#include "dns/zone.h"

struct reply_options {
	uint32_t ttl;	 /* s, of addresses and of negative answers */
	uint32_t serial; /* of the SOA */
	bool tcp;	 /* all the room there is; else what the asker's EDNS0 allows, 512 to 1232 */
};

enum reply_kind { REPLY_NONE, REPLY_ANSWER, REPLY_NO_DATA, REPLY_NO_NAME, REPLY_REFUSED, REPLY_BAD, REPLY_KINDS };

/*
 * Writes the reply to @query into @out, which has room for DNS_MESSAGE_MAX bytes. Returns its length; 0: none is due
 * (it is no question at all). @z NULL: nothing is known yet, which is said. @ret_kind: what was said, for counters.
 */
size_t reply_to(const struct zone *z, const struct reply_options *o, const uint8_t *query, size_t len, uint8_t *out,
		enum reply_kind *ret_kind);

#endif
