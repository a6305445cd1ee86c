/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a server's response says about a name. A value: no I/O. */
#ifndef DNS_ANSWERS_H
#define DNS_ANSWERS_H

#include "dns/message.h"
#include "weft/addr.h"

struct dns_addr {
	struct weft_addr addr;
	uint32_t ttl;	/* s */
	uint32_t owner; /* in hints: index in srvs of the first record whose target it is; else 0 */
};

struct dns_srv {
	uint16_t priority, weight, port;
	struct dns_name target; /* the root: there is no such service here */
};

/* Nothing of the asked type and no error: there are no such records (NODATA), or no such name (NXDOMAIN). */
struct dns_answers {
	unsigned rcode;		/* anything but NOERROR and NXDOMAIN is a failure, and nothing else is set */
	bool has_ttl;		/* a negative answer may not tell it */
	uint32_t ttl;		/* s; the least of what leads to the records and theirs, or of the negative answer */
	struct dns_addr *addrs; /* when A or AAAA was asked for; no two alike */
	size_t nr_addrs;
	struct dns_srv *srvs; /* when SRV was */
	size_t nr_srvs;
	struct dns_addr *hints; /* addresses of targets that the server added of its own */
	size_t nr_hints;
	unsigned odd; /* records that are of no use: other names, wrong sizes, addresses nobody can connect to */
};

/*
 * Reads the response to a question for @name, which may be any case, and @type: DNS_A, DNS_AAAA or DNS_SRV. Aliases
 * (CNAME) are followed in any order. 0; -EBADMSG: no response to that, or cut off; -ENOMEM. *ret is set in any case and
 * wants dns_answers_done().
 */
int dns_answers_read(const void *bytes, size_t len, const struct dns_name *name, uint16_t type,
		     struct dns_answers *ret);
void dns_answers_done(struct dns_answers *a); /* leaves it empty */

const char *dns_rcode_text(unsigned rcode); /* "SERVFAIL" */

#endif
