/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Capacities. The map sizes are defaults: `limits:` in weft.yaml replaces them when the maps are created. Bytes are
 * kernel memory, allocated in full at load for arrays and preallocated hashes.
 */
#ifndef WEFT_LIMITS_H
#define WEFT_LIMITS_H

#define WEFT_DEF_SERVICES  8192	 /* x (144 B record + 256 B state) = 3.2 MiB */
#define WEFT_DEF_FRONTENDS 16384 /* x ~96 B hash element = 1.5 MiB */
#define WEFT_DEF_SPECS                                                                                                 \
	16384 /* x 384 B = 6 MiB; twice the services, so that every service can be republished at once                 \
	       */
#define WEFT_DEF_BACKENDS 32768	  /* x (32 B record + 128 B state) = 5 MiB */
#define WEFT_DEF_SLOTS	  1048576 /* x 4 B = 4 MiB; a maglev service takes one entry per table row */
#define WEFT_DEF_AFFINITY 65536	  /* x ~104 B = 6.5 MiB */
#define WEFT_DEF_EDGES	  65536	  /* x ~500 B, allocated on use */

#define WEFT_DEF_HANDSHAKES 16384  /* x ~400 B, allocated on use: TCP connects under way that may fail over */
#define WEFT_DEF_NAT	    65536  /* x ~200 B, allocated on use: two entries for each connection that failed over */
#define WEFT_EVENTS_BYTES   262144 /* ring buffer */

/* Groups of endpoints of one priority, or of one priority and zone, that a service may have. */
#define WEFT_LEVELS	     8
#define WEFT_PRIORITY_MAX    127
#define WEFT_BREAKER_BUCKETS 10 /* of a second each */

#define WEFT_NAME_LEN 128 /* service name with its NUL; "namespace/name:port" of Kubernetes fits */

/* Weight of an endpoint: 1 is the default, 0 means "no new connections". */
#define WEFT_WEIGHT_MAX 1000
/* Weighted slots of one level of a service; larger sets of weights are scaled down to fit. */
#define WEFT_SLOTS_PER_SERVICE	   65536
#define WEFT_ENDPOINTS_PER_SERVICE 16384
#define WEFT_FRONTENDS_PER_SERVICE 64
#define WEFT_MAGLEV_DEF		   65537
#define WEFT_MAGLEV_MAX		   1048573 /* the largest prime under 2^20 */

#define WEFT_PICK_TRIES 4   /* candidates by the policy before the slots are walked in order */
#define WEFT_PICK_SCAN	256 /* slots walked at most */
#define WEFT_PEERS	16  /* services an unconnected UDP socket talks to at the same time */

/* Log2 buckets: bucket i holds values of less than 2^(i+1) microseconds; the last one the rest. */
#define WEFT_HIST 20

#endif
