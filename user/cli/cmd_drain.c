/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * weft endpoint drain SERVICE ADDRESS:PORT [--timeout TIME] and undrain: in the kernel's maps themselves, so with an
 * agent or without one. What the agent does at the deadline it learns from the maps; TCP ends by itself without it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cmd.h"
#include "cli/report.h"
#include "plane/drain.h"

#define NS_PER_S  1000000000ull
#define LONGEST_S (7 * 24 * 3600)

/* "30s", "500ms", "5m", "2h", "1d"; "off": never, 0. Nanoseconds, at least 1 otherwise. False: none of these. */
static bool parse_time(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = { { "ms", NS_PER_S / 1000 },
		      { "s", NS_PER_S },
		      { "m", 60 * NS_PER_S },
		      { "h", 3600 * NS_PER_S },
		      { "d", 86400 * NS_PER_S } };
	size_t digits = strspn(text, "0123456789");

	*ret_ns = 0;
	if (!strcmp(text, "off"))
		return true;
	if (!digits || digits > 9)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text + digits, units[i].unit))
			*ret_ns = strtoull(text, NULL, 10) * units[i].ns;
	if (!*ret_ns && !strcmp(text, "0s"))
		*ret_ns = 1;
	return *ret_ns && *ret_ns <= LONGEST_S * NS_PER_S;
}

/* The endpoint in service; 0, and the sentence has been said. */
static uint32_t find_endpoint(struct cli *cli, const struct view_service *s, const char *text)
{
	const struct weft_backend *backends = cli->maps->backends;
	struct weft_addr addr;
	const uint32_t *ids;
	uint16_t port;
	size_t nr;

	if (addr_port_parse(text, &addr, &port) < 0) {
		out_error(cli->out, "\"%s\" is no ADDRESS:PORT, as in 10.0.0.1:80 or [fd00::1]:80", text);
		return 0;
	}
	ids = view_backends(cli->view, s->id, &nr);
	for (size_t i = 0; i < nr; i++) {
		const struct weft_backend *b = &backends[ids[i]];

		if (!(b->flags & WEFT_BACKEND_F_DRAINING) && weft_addr_equal(&b->addr, &addr) &&
		    ntohs(b->port_be) == port)
			return ids[i];
	}
	out_error(cli->out, "service \"%s\" has no endpoint %s; `weft endpoint list %s` shows them", s->name, text,
		  s->name);
	return 0;
}

/* What has to be done in the sockets themselves. An agent does it, too; here it is done when the command returns. */
static void visit_sockets(struct cli *cli)
{
	struct drain_result found;
	int r = maps_drain(cli->maps, &found);

	if (!r)
		r = found.error;
	out_field(cli->out, "closed", "connections closed now", out_int(found.closed));
	out_field(cli->out, "released", "UDP sockets released", out_int(found.released));
	if (r)
		out_note(cli->out, "problems", "not all connections can be ended: %s", log_strerror(r));
}

static void say_endpoint(struct cli *cli, const struct view_service *s, uint32_t id)
{
	const struct weft_backend *b = &cli->maps->backends[id];
	char text[ADDR_TEXT_LEN];

	out_field(cli->out, "service", NULL, out_text(s->name));
	out_field(cli->out, "endpoint", NULL,
		  out_text(addr_port_format(&b->addr, ntohs(b->port_be), text, sizeof(text))));
	out_field(cli->out, "state", NULL, out_text(view_state(cli->view, id)));
}

static void say_rest(struct cli *cli, uint32_t id)
{
	out_field(cli->out, "active", "connections left",
		  out_int(__atomic_load_n(&cli->maps->bstate[id].active, __ATOMIC_RELAXED)));
}

/* How long: the option's word, else the service's drain-timeout. */
static bool choose_time(struct cli *cli, const struct view_service *s, uint64_t *ret_ns)
{
	const struct weft_spec *spec = view_spec(cli->view, s->id);
	const char *text = cli->value[CLI_TIMEOUT];

	*ret_ns = spec ? spec->drain_ms * (NS_PER_S / 1000) : 0;
	if (!text || parse_time(text, ret_ns))
		return true;
	out_error(cli->out,
		  "--timeout must be a time from 1ms to 7d, as in 30s, or 0s (at once), or off (never); not \"%s\"",
		  text);
	return false;
}

int cmd_endpoint_drain(struct cli *cli, int argc, const char *const *argv)
{
	const struct view_service *s;
	uint64_t ns;
	uint32_t id;
	int r;

	if (cli_open(cli, true))
		return CLI_FAILED;
	s = report_find(cli, argv[0]);
	if (!s || !choose_time(cli, s, &ns))
		return CLI_FAILED;
	id = find_endpoint(cli, s, argv[1]);
	if (!id)
		return CLI_FAILED;
	r = maps_drain_begin(cli->maps, id, cli->maps->backends[id].gen, ns ? cli->view->now_ns + ns : 0);
	if (r)
		return out_error(cli->out, "cannot drain %s: %s", argv[1], log_strerror(r));
	say_endpoint(cli, s, id);
	if (ns)
		out_field(cli->out, "closes_seconds", "what is left is closed in", out_seconds((double)ns / 1e9));
	else
		out_field(cli->out, "closes_seconds", "what is left is closed",
			  out_words(out_none(), "never; --timeout sets a time"));
	visit_sockets(cli);
	say_rest(cli, id);
	return CLI_DONE;
}

int cmd_endpoint_undrain(struct cli *cli, int argc, const char *const *argv)
{
	const struct view_service *s;
	uint32_t id;
	int r;

	if (cli_open(cli, true))
		return CLI_FAILED;
	s = report_find(cli, argv[0]);
	if (!s)
		return CLI_FAILED;
	id = find_endpoint(cli, s, argv[1]);
	if (!id)
		return CLI_FAILED;
	r = maps_drain_end(cli->maps, id, cli->maps->backends[id].gen, cli->view->now_ns);
	if (r < 0)
		return out_error(cli->out, "cannot take %s back: %s", argv[1], log_strerror(r));
	say_endpoint(cli, s, id);
	if (!r)
		out_note(cli->out, "hints", "the operator did not drain it; nothing was changed");
	else
		visit_sockets(cli);
	say_rest(cli, id);
	return CLI_DONE;
}
