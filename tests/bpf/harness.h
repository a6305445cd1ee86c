/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Tests of the BPF programs, in the words of the field: a mesh is one instance of weft attached to a cgroup of its own.
 * Each test runs in a process and in a network namespace of its own; whatever happens to it, cgroup and pins are
 * removed.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <check.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model/model.h"
#include "plane/plane.h"
#include "server.h"
#include "sockets.h"
#include "wire.h"

struct mesh {
	char name[96];	  /* of the instance; of the cgroup, with "weft-" before it */
	char cgroup[256]; /* path */
	struct plane *plane;
	const struct maps *maps;
	struct model *wanted; /* what the next publish_all() applies */
	uint64_t mark[WEFT_R_MAX];
	pid_t owner;
};

/* Runs the suite in a process of its own and cleans up behind it. 0, 1, or 77 when this machine cannot run it. */
int suite_main(const char *name, Suite *(*make)(void));
/* Adds a test case whose tests each have the mesh below, up and attached, with nothing published, and are in its
 * cgroup. */
TCase *suite_case(Suite *s, const char *name, double timeout_s);
extern struct mesh mesh;

/* A further instance, on cgroup "weft-test-...-@tag" under the root, or under @parent's cgroup. */
void mesh_up(struct mesh *m, const char *tag, const struct mesh *parent);
void mesh_down(struct mesh *m);
/* Moves the calling process. */
void mesh_join(const struct mesh *m);
void cgroup_join(const char *path);
/* A cgroup inside the mesh's, as a pod has; removed with the mesh. */
void mesh_workload(const struct mesh *m, const char *name, char *path, size_t len);

/* Describe, then publish_all(). Until then, services of the description before stay in force; what is not described
 * again, goes. */
struct service *given_service(struct mesh *m, const char *name, uint8_t proto, const char *vip, uint16_t port,
			      enum weft_lb lb);
void given_frontend(struct service *s, const char *vip, uint16_t port);
void given_endpoint(struct service *s, const char *ip, uint16_t port);
void given_weighted(struct service *s, const char *ip, uint16_t port, uint16_t weight);
struct plane_change publish_all(struct mesh *m);
void given_servers(const struct listener *l, size_t n); /* stopped at the end of the test */
void given_line(const struct wire_line *line);

#define WITHIN(ms, condition)                                                                                          \
	({                                                                                                             \
		uint64_t _until = now_ms() + (ms);                                                                     \
		bool _ok;                                                                                              \
		while (!(_ok = (condition)) && now_ms() < _until)                                                      \
			usleep(500);                                                                                   \
		_ok;                                                                                                   \
	})
uint64_t now_ms(void);

/* Counters from mark() on. */
void mark(struct mesh *m);
uint64_t happened(const struct mesh *m, enum weft_reason r);
#define expect_reason(m, r, n)                                                                                         \
	ck_assert_msg(WITHIN(2000, happened(m, r) == (uint64_t)(n)), "%s: expected %llu, found %llu", #r,              \
		      (unsigned long long)(n), (unsigned long long)happened(m, r))

/* Index into weft_backends, 0 when there is none; one that drains only when no other is. @service NULL: of any. */
uint32_t endpoint_id(const struct mesh *m, const char *service, const char *ip, uint16_t port);
const struct weft_bstate *endpoint_state(const struct mesh *m, const char *service, const char *ip, uint16_t port);
void expect_active(const struct mesh *m, const char *ip, uint16_t port, unsigned n);
uint64_t active_total(const struct mesh *m);
void expect_nothing_active(const struct mesh *m, unsigned ms);
void expect_audit_clean(const struct mesh *m);
/* Sum over all edges; handshake and rtt histograms too. */
struct weft_edge edges_total(const struct mesh *m);

/* The server at the other end of the connection says that it is @endpoint ("ADDR:PORT"). */
#define expect_connected_to(fd, endpoint) ck_assert_str_eq(sock_greeting(fd), endpoint)
#define expect_peer(fd, address)	  ck_assert_str_eq(sock_peer(fd), address)

#endif
