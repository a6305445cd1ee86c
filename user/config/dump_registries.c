/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Registries, sources and what is registered, in the normal form: as they were written. */
#include <string.h>

#include "config/dump.h"
#include "config/registries.h"
#include "config/scalar.h"

static bool is_list(const char *type, enum option_use use, const char *key)
{
	const struct registry_type *t = type ? registry_type(type) : NULL;
	const struct option_key *lists[2] = { t ? t->keys[use] : NULL, common_keys[use] };

	for (int l = 0; l < 2; l++)
		for (const struct option_key *k = lists[l]; k && k->key; k++)
			if (!strcmp(k->key, key))
				return k->kind == OPTION_LIST;
	return false;
}

/* Each on a line of its own, the first one after @first. */
static void dump_options(const struct options *o, const char *type, enum option_use use, const char *first,
			 const char *rest, FILE *out)
{
	for (size_t i = 0; i < o->nr; i++) {
		bool list = is_list(type, use, o->at[i].key);

		fprintf(out, "%s%s: %s", i ? rest : first, o->at[i].key, list ? "[" : "");
		for (char **v = o->at[i].values; *v; v++) {
			fputs(v == o->at[i].values ? "" : ", ", out);
			dump_text(out, *v);
		}
		fputs(list ? "]\n" : "\n", out);
	}
}

void dump_registries(const struct config *c, FILE *out)
{
	if (c->nr_registries)
		fprintf(out, "registries:\n");
	for (size_t i = 0; i < c->nr_registries; i++)
		dump_options(&c->registries[i].options, c->registries[i].type, USE_REGISTRY, "  - ", "    ", out);
	if (c->nr_announcements)
		fprintf(out, "register:\n");
	for (size_t i = 0; i < c->nr_announcements; i++) {
		const struct register_config *a = &c->announcements[i];

		dump_options(&a->options, config_registry_type(c, a->registry), USE_REGISTER, "  - ", "    ", out);
		dump_check(&a->check, out);
	}
}

void dump_discover(const struct config *c, const struct service *s, FILE *out)
{
	if (!s->nr_sources)
		return;
	fprintf(out, "    combine: %s\n    discover:\n", combine_name(s->combine));
	for (size_t i = 0; i < s->nr_sources; i++)
		dump_options(&s->sources[i].options, config_registry_type(c, s->sources[i].registry), USE_SOURCE,
			     "      - ", "        ", out);
}
