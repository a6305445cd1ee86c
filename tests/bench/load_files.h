/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Service files, kept in memory as text, so that a change is one digit and one rename(): what is timed is weft, not us.
 */
#ifndef BENCH_LOAD_FILES_H
#define BENCH_LOAD_FILES_H

#include "rig.h"
#include "services.h"

struct yaml_text {
	char *text;
	size_t len;
	uint32_t first, nr; /* services in it */
	size_t *port_end;   /* per service: where the last digit of its first endpoint's port stands */
};

static inline void yaml_text_free(struct yaml_text *y)
{
	free(y->text);
	free(y->port_end);
	memset(y, 0, sizeof(*y));
}

static inline void yaml_service(FILE *f, const struct shape *shape, uint32_t i, size_t *ret_port_end)
{
	char text[ADDR_TEXT_LEN];
	struct weft_addr a = vip_of(i);

	fprintf(f, "  - name: svc-%06u\n    address: %s\n    endpoints:\n", i,
		addr_port_format(&a, VIP_PORT, text, sizeof(text)));
	for (uint32_t e = 0; e < shape->endpoints; e++) {
		weft_addr_set_v4(&a, htonl(shape_endpoint(shape, i, e)));
		fprintf(f, "      - %s\n", addr_port_format(&a, shape->port, text, sizeof(text)));
		if (e == 0)
			*ret_port_end = (size_t)ftell(f) - 2;
	}
}

static inline int yaml_text_make(const struct shape *shape, uint32_t first, uint32_t nr, struct yaml_text *ret)
{
	struct yaml_text y = { .first = first, .nr = nr };
	FILE *f = open_memstream(&y.text, &y.len);

	y.port_end = calloc(nr, sizeof(*y.port_end));
	if (!f || !y.port_end) {
		if (f)
			fclose(f);
		yaml_text_free(&y);
		return -ENOMEM;
	}
	fputs("services:\n", f);
	for (uint32_t i = 0; i < nr; i++)
		yaml_service(f, shape, first + i, &y.port_end[i]);
	if (fclose(f)) {
		yaml_text_free(&y);
		return -ENOMEM;
	}
	*ret = y;
	return 0;
}

/* The first endpoint of service @i moves from port xxx0 to xxx1 or back. */
static inline void yaml_text_flip(struct yaml_text *y, uint32_t i)
{
	y->text[y->port_end[i - y->first]] ^= 1;
}

/* As an operator's tool does it: written to @aside, then moved in place. *ret_at: when it was moved. */
static inline int yaml_text_save(const struct yaml_text *y, const char *aside, const char *path, uint64_t *ret_at)
{
	FILE *f = fopen(aside, "we");

	if (!f)
		return -errno;
	if (fwrite(y->text, 1, y->len, f) != y->len) {
		fclose(f);
		return -EIO;
	}
	if (fclose(f))
		return -errno;
	*ret_at = now_ns();
	return rename(aside, path) ? -errno : 0;
}

#endif
