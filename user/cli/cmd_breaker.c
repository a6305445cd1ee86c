/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * weft service breaker NAME open|closed|auto: the operator's hand on the breaker, in the kernel's map itself, so with
 * an agent or without. It stays until it is taken off, also over restarts of the agent.
 */
#include <string.h>

#include "cli/cmd.h"
#include "cli/report.h"

#define FORCED (WEFT_SERVICE_F_FORCE_OPEN | WEFT_SERVICE_F_FORCE_CLOSED)

/* 1: done; 0: there is no such service any more. */
static int force(struct weft_service *s, uint32_t want)
{
	uint32_t was = __atomic_load_n(&s->flags, __ATOMIC_RELAXED);

	/* In one step: between two of them the breaker would be neither. */
	do {
		if (!(was & WEFT_SERVICE_F_USED))
			return 0;
	} while (!__atomic_compare_exchange_n(&s->flags, &was, (was & ~FORCED) | want, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return 1;
}

int report_breaker(const struct view *v, const struct view_service *s, const char *word, struct out *o)
{
	struct weft_service *service = &v->maps->services[s->id];
	uint32_t want = strcmp(word, "open") == 0     ? WEFT_SERVICE_F_FORCE_OPEN
			: strcmp(word, "closed") == 0 ? WEFT_SERVICE_F_FORCE_CLOSED
						      : 0;
	struct guard_breaker before = guard_breaker(v, s->id), now;
	char text[256];

	/* The id may have been given to another service since the name was looked up. */
	if (strncmp(service->name, s->name, sizeof(service->name)) != 0 || !force(service, want))
		return 0;
	now = guard_breaker(v, s->id);
	out_field(o, "service", NULL, out_text(s->name));
	out_field(o, "breaker", NULL,
		  out_words(out_text(guard_breaker_word(&now)), guard_breaker_text(&now, text, sizeof(text))));
	out_field(o, "forced", "", out_text(now.forced));
	out_field(o, "was", NULL,
		  out_words(out_text(guard_breaker_word(&before)),
			    guard_breaker_word(&before) ? guard_breaker_word(&before) : "off"));
	if (!now.on && !now.forced)
		out_note(o, "hints", "this service has no breaker in weft.yaml: its error rate refuses nothing");
	return 1;
}

int cmd_service_breaker(struct cli *cli, int argc, const char *const *argv)
{
	const struct view_service *s;

	if (cli_open(cli, true))
		return CLI_FAILED;
	s = report_find(cli, argv[0]);
	if (!s)
		return CLI_FAILED;
	if (!report_breaker(cli->view, s, argv[1], cli->out))
		return out_error(cli->out, "service \"%s\" was removed meanwhile; nothing was changed", argv[0]);
	return CLI_DONE;
}
