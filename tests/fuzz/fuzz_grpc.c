/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fuzzes what a server may answer to a gRPC health check: a body, and the value of grpc-status. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "health/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_grpc: %s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) uint8_t *body = malloc(size ? size : 1); /* exactly as long: an overrun is seen */
	int r;

	memcpy(body, data, size);
	r = grpc_response(body, size);
	need(r >= 0 || r == -ENODATA || r == -ENOTSUP || r == -EBADMSG, "an errno that is not promised");
	need(*grpc_serving_name(r), "no name");
	if (r >= 0)
		need(size >= 5 && !body[0] &&
			     size - 5 == ((uint32_t)body[1] << 24 | body[2] << 16 | body[3] << 8 | body[4]),
		     "a status of a body that is not one whole message");
	r = grpc_status((const char *)body, size);
	need(r == -EINVAL || (r >= 0 && r <= 9999), "a status out of bounds");
	need(*grpc_status_name(r), "no name");
	return 0;
}
