/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What can only be wrong with all services together. */
#include <errno.h>

#include "config/error.h"

int config_seal(struct model *m, struct config_error *ret_error)
{
	const struct service *first = NULL, *second = NULL;
	const struct frontend *f = NULL;
	char text[ADDR_TEXT_LEN];
	int r;

	r = model_seal(m, &first, &second, &f);
	if (!r)
		return 0;
	if (r != -EEXIST)
		return error_set(ret_error, r, "", 0, NULL, "not enough memory to sort the services");
	if (!f)
		return error_set(ret_error, r, second->file ? second->file : "", second->line, NULL,
				 "service \"%s\" is there twice, first at %s:%u", second->name,
				 first->file ? first->file : "?", first->line);
	return error_set(ret_error, r, second->file ? second->file : "", second->line, NULL,
			 "service \"%s\" claims %s %s, which service \"%s\" at %s:%u has", second->name,
			 proto_name(second->proto), addr_port_format(&f->addr, f->port, text, sizeof(text)),
			 first->name, first->file ? first->file : "?", first->line);
}

static int fail(struct config_error *e, const char *key, size_t nr, const char *what, uint32_t limit)
{
	return error_set(e, -E2BIG, "", 0, key, "%zu %s do not fit in %u; raise it and restart the agent", nr, what,
			 limit);
}

int config_fits(const struct model *m, const struct config_limits *limits, struct config_error *ret_error)
{
	size_t frontends = 0, backends = 0, slots = 0;
	const struct service *s;

	for (size_t i = 0; i < m->nr; i++) {
		s = m->services[i];
		frontends += s->nr_frontends;
		backends += s->nr_endpoints;
		if (s->lb == WEFT_LB_MAGLEV && s->nr_endpoints)
			slots += s->maglev_size;
	}
	if (m->nr > limits->services)
		return fail(ret_error, "limits.services", m->nr, "services", limits->services);
	if (m->nr > limits->specs)
		return fail(ret_error, "limits.specs", m->nr, "services", limits->specs);
	if (frontends > limits->frontends)
		return fail(ret_error, "limits.frontends", frontends, "addresses", limits->frontends);
	if (backends > limits->backends)
		return fail(ret_error, "limits.endpoints", backends, "endpoints", limits->backends);
	if (slots > limits->slots)
		return fail(ret_error, "limits.slots", slots, "rows of maglev tables", limits->slots);
	return 0;
}
