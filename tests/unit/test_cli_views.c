/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the commands print for maps made by hand, against tests/cli/NAME.FORMAT. WEFT_GOLDEN=update writes the files
 * anew; read the difference before it is committed.
 */
#include <jansson.h>
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/report.h"
#include "cli_fixture.h"
#include "telemetry/event.h"
#include "unit.h"

static void explain(const struct view *v, const char *address, uint8_t proto, struct out *o)
{
	struct weft_addr a;
	uint16_t port;

	ck_assert_int_eq(addr_port_parse(address, &a, &port), 0);
	report_explain(v, &a, port, proto, o);
}

static void say_services(struct fixture *f, struct out *o)
{
	ck_assert_int_eq(report_services(f->view, o), 0);
}

static void say_service(struct fixture *f, struct out *o)
{
	ck_assert_int_eq(report_service(f->view, view_find(f->view, "web"), o), 0);
}

static void say_fresh(struct fixture *f, struct out *o)
{
	ck_assert_int_eq(report_service(f->view, view_find(f->view, "fresh"), o), 0);
}

static void say_endpoints(struct fixture *f, struct out *o)
{
	report_endpoints(f->view, NULL, NULL, o);
}

static void say_explain_web(struct fixture *f, struct out *o)
{
	explain(f->view, "10.96.0.10:80", 0, o);
}

static void say_explain_dns(struct fixture *f, struct out *o)
{
	explain(f->view, "10.96.0.53:53", IPPROTO_UDP, o);
}

static void say_explain_cache(struct fixture *f, struct out *o)
{
	explain(f->view, "[fd00::c]:6379", IPPROTO_TCP, o);
}

static void say_explain_empty(struct fixture *f, struct out *o)
{
	explain(f->view, "10.96.0.99:443", 0, o);
}

static void say_explain_fresh(struct fixture *f, struct out *o)
{
	explain(f->view, "10.96.0.98:443", 0, o);
}

static void say_explain_port(struct fixture *f, struct out *o)
{
	explain(f->view, "10.96.0.53:53", IPPROTO_TCP, o);
}

static void say_explain_direct(struct fixture *f, struct out *o)
{
	explain(f->view, "10.0.0.1:8080", IPPROTO_TCP, o);
}

static void say_shop(struct fixture *f, struct out *o)
{
	ck_assert_int_eq(report_service(f->view, view_find(f->view, "shop"), o), 0);
}

static void say_explain_shop(struct fixture *f, struct out *o)
{
	f->maps.config->netns = 1;
	explain(f->view, "10.96.0.60:80", 0, o);
}

/* The view is made anew, since what it found depends on it. */
static void look_again(struct fixture *f)
{
	view_free(f->view);
	f->view = NULL;
	fixture_view(f);
}

static void say_explain_open(struct fixture *f, struct out *o)
{
	f->maps.sstate[6].breaker.word = weft_breaker_word(WEFT_BREAKER_OPEN, 997000);
	explain(f->view, "10.96.0.60:80", 0, o);
}

static void say_explain_forced(struct fixture *f, struct out *o)
{
	f->maps.services[6].flags |= WEFT_SERVICE_F_FORCE_OPEN;
	explain(f->view, "10.96.0.60:80", 0, o);
}

static void say_explain_full(struct fixture *f, struct out *o)
{
	f->maps.sstate[6].active = 100;
	explain(f->view, "10.96.0.60:80", 0, o);
}

static void say_explain_rate(struct fixture *f, struct out *o)
{
	f->maps.sstate[6].rate_at_ns = FIXTURE_NOW_NS + 195000000;
	explain(f->view, "10.96.0.60:80", 0, o);
}

/* All but one ejected or unhealthy, and that one full of its own limit or drained. */
static void say_explain_panic(struct fixture *f, struct out *o)
{
	for (uint32_t id = 10; id < 16; id++)
		if (!f->maps.bstate[id].out)
			fixture_out(f, id, WEFT_OUT_UNHEALTHY);
	look_again(f);
	explain(f->view, "10.96.0.60:80", 0, o);
}

static void say_explain_due(struct fixture *f, struct out *o)
{
	f->maps.bstate[12].ejected_until_ns = FIXTURE_NOW_NS - 1;
	explain(f->view, "10.96.0.60:80", 0, o);
}

static void say_breaker(struct fixture *f, struct out *o)
{
	ck_assert_int_eq(report_breaker(f->view, view_find(f->view, "shop"), "open", o), 1);
	ck_assert_uint_eq(f->maps.services[6].flags, WEFT_SERVICE_F_USED | WEFT_SERVICE_F_FORCE_OPEN);
}

static void say_breaker_auto(struct fixture *f, struct out *o)
{
	f->maps.services[1].flags |= WEFT_SERVICE_F_FORCE_CLOSED;
	ck_assert_int_eq(report_breaker(f->view, view_find(f->view, "web"), "auto", o), 1);
	ck_assert_uint_eq(f->maps.services[1].flags, WEFT_SERVICE_F_USED);
}

static void say_breaker_gone(struct fixture *f, struct out *o)
{
	const struct view_service *s = view_find(f->view, "shop");

	f->maps.services[6].flags = 0;
	ck_assert_int_eq(report_breaker(f->view, s, "open", o), 0);
	f->maps.services[6] = f->maps.services[1];
	ck_assert_int_eq(report_breaker(f->view, s, "open", o), 0);
	ck_assert_uint_eq(f->maps.services[6].flags, f->maps.services[1].flags);
}

static void say_sources(struct fixture *f, struct out *o)
{
	static const char reply[] =
		"{\"registries\": [{\"name\": \"consul\", \"type\": \"consul\", \"up\": true, \"error\": \"\", "
		"\"answers\": 12, \"failures\": 0, \"odd\": 1, \"sources\": 2, \"services\": 0, \"heard_seconds\": "
		"0.5}, "
		"{\"name\": \"store\", \"type\": \"etcd\", \"up\": false, \"error\": \"10.0.0.1:2379 cannot be "
		"connected "
		"to\", \"answers\": 0, \"failures\": 3, \"odd\": 0, \"sources\": 1, \"services\": 0, "
		"\"heard_seconds\": null}], \"sources\": [{\"service\": \"web\", \"source\": 0, \"registry\": "
		"\"consul\", "
		"\"type\": \"consul\", \"state\": \"ok\", \"error\": \"\", \"endpoints\": 3, \"age_seconds\": 61.5}, "
		"{\"service\": \"web\", \"source\": 1, \"registry\": \"store\", \"type\": \"etcd\", \"state\": "
		"\"failing\", \"error\": \"10.0.0.1:2379 cannot be connected to\", \"endpoints\": 0, \"age_seconds\": "
		"null}], "
		"\"register\": [{\"service\": \"web\", \"registry\": \"consul\", \"type\": \"consul\", \"address\": "
		"\"10.0.0.5:8080\", \"state\": \"up\", \"written\": true, \"error\": \"\"}]}";

	ck_assert_int_eq(report_sources(reply, sizeof(reply) - 1, o), 0);
}

static void say_events(struct fixture *f, struct out *o)
{
	static const struct weft_event list[] = {
		{ .type = WEFT_EVENT_EJECTED,
		  .cause = WEFT_CAUSE_REFUSED,
		  .service = 6,
		  .backend = 12,
		  .gen = 1,
		  .number = 2,
		  .ns = FIXTURE_NOW_NS,
		  .until_ns = FIXTURE_NOW_NS + 60 * FIXTURE_SECOND },
		{ .type = WEFT_EVENT_RETURNED,
		  .cause = WEFT_CAUSE_REFUSED,
		  .service = 6,
		  .backend = 12,
		  .gen = 1,
		  .number = 2,
		  .ns = FIXTURE_NOW_NS + 60 * FIXTURE_SECOND },
		{ .type = WEFT_EVENT_EJECT_OVERFLOW,
		  .cause = WEFT_CAUSE_SUCCESS_RATE,
		  .service = 6,
		  .backend = 13,
		  .gen = 9,
		  .ns = FIXTURE_NOW_NS },
		{ .type = WEFT_EVENT_BREAKER_OPEN,
		  .service = 6,
		  .number = 55,
		  .ns = FIXTURE_NOW_NS,
		  .until_ns = FIXTURE_NOW_NS + 5 * FIXTURE_SECOND },
		{ .type = WEFT_EVENT_BREAKER_HALF_OPEN, .service = 6, .ns = FIXTURE_NOW_NS + 5 * FIXTURE_SECOND },
		{ .type = WEFT_EVENT_BREAKER_OPEN,
		  .service = 6,
		  .ns = FIXTURE_NOW_NS + 6 * FIXTURE_SECOND,
		  .until_ns = FIXTURE_NOW_NS + 11 * FIXTURE_SECOND },
		{ .type = WEFT_EVENT_BREAKER_CLOSED, .service = 6, .ns = FIXTURE_NOW_NS + 12 * FIXTURE_SECOND },
		{ .type = 99, .service = 99, .ns = FIXTURE_NOW_NS },
	};
	_cleanup_(freep) char *reply = NULL;
	json_t *root = json_object(), *array = json_array();

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct event e = event_resolve(&f->maps, &list[i], (struct event_now){ FIXTURE_NOW_NS, 1700000000.0 });

		e.id = i + 1;
		json_array_append_new(array, event_json(&e));
	}
	json_object_set_new(root, "events", array);
	reply = json_dumps(root, 0);
	json_decref(root);
	ck_assert_int_eq(report_events(reply, strlen(reply), o), 0);
	ck_assert_int_eq(report_events("{}", 2, o), -EPROTO);
	ck_assert_int_eq(report_events("hello", 5, o), -EPROTO);
}

static void say_connections(struct fixture *f, struct out *o)
{
	struct weft_flow_record r[2] = { 0 };
	uint16_t port;

	addr_port_parse("10.96.0.10:80", &r[0].flow.vip, &port);
	addr_port_parse("10.0.0.9:41000", &r[0].local, &port);
	r[0].flow.vip_port_be = htons(80);
	r[0].local_port_be = htons(41000);
	r[0].flow.proto = IPPROTO_TCP;
	r[0].flow.state = WEFT_FLOW_ESTABLISHED;
	r[0].flow.service = 1;
	r[0].flow.backend = 2;
	r[0].flow.gen = 1;
	r[0].flow.caller = 4711;
	r[0].flow.start_ns = FIXTURE_NOW_NS - 65000000000ull;
	r[0].sk_state = 1;
	r[0].srtt_us = 640;
	r[0].bytes_sent = 100;
	r[0].bytes_received = 5 * 1024 * 1024;
	r[0].netns = 4026531840;
	r[0].cookie = 17;
	r[1] = r[0];
	/* its endpoint is gone and the id belongs to another one: the socket's own address is what counts */
	r[1].flow.gen = 7;
	addr_port_parse("10.0.0.77:8080", &r[1].remote, &port);
	r[1].remote_port_be = htons(8080);
	r[1].sk_state = 8;
	r[1].flow.caller = 0;
	report_connections(f->view, r, 2, NULL, o);
}

static void say_references(struct fixture *f, struct out *o)
{
	ck_assert_uint_eq(report_references(f->view, o), 0);
}

static void say_broken(struct fixture *f, struct out *o)
{
	fixture_frontend(f, 14, "10.96.0.1:1", IPPROTO_TCP);
	f->maps.backends[5].service = 13;
	f->maps.slots[0] = 31;
	f->maps.services[3].spec = 15;
	ck_assert_uint_eq(report_references(f->view, o), 4);
}

static void say_exact(struct fixture *f, struct out *o)
{
	struct audit a = { .backends = 8, .sockets = 6 };

	report_audit(f->view, &a, false, o);
}

static void say_drift(struct fixture *f, struct out *o)
{
	struct drift d[] = { { .service = 1, .backend = 1, .counted = 2, .found = 1 } };
	struct audit a = { .backends = 8, .sockets = 5, .nr_drift = 1, .drift = d };

	report_audit(f->view, &a, false, o);
}

static void say_counts(struct fixture *f, struct out *o)
{
	uint64_t counts[WEFT_R_MAX] = { [WEFT_R_FORWARDED] = 3600, [WEFT_R_NO_SERVICE] = 12 };

	report_counts(counts, o);
}

#define DUMP(name, id)                                                                                                 \
	static void say_dump_##name(struct fixture *f, struct out *o)                                                  \
	{                                                                                                              \
		ck_assert_int_eq(report_dump(f->view, PLANE_MAP_##id, o), 0);                                          \
	}
DUMP(config, CONFIG)
DUMP(frontends, FRONTENDS)
DUMP(services, SERVICES)
DUMP(specs, SPECS)
DUMP(slots, SLOTS)
DUMP(backends, BACKENDS)
DUMP(bstate, BSTATE)
DUMP(sstate, SSTATE)

static const struct {
	const char *name;
	void (*say)(struct fixture *f, struct out *o);
	const char *formats;
} cases[] = {
	{ "service-list", say_services, "table wide json" },
	{ "service-show", say_service, "table json" },
	{ "service-show-unpublished", say_fresh, "table json" },
	{ "endpoint-list", say_endpoints, "table wide json" },
	{ "connections", say_connections, "table wide json" },
	{ "explain-ewma", say_explain_web, "table json" },
	{ "explain-round-robin", say_explain_dns, "table" },
	{ "explain-maglev", say_explain_cache, "table" },
	{ "explain-empty", say_explain_empty, "table json" },
	{ "explain-unpublished", say_explain_fresh, "table" },
	{ "explain-other-proto", say_explain_port, "table json" },
	{ "explain-endpoint", say_explain_direct, "table" },
	{ "service-show-guarded", say_shop, "table json" },
	{ "explain-levels", say_explain_shop, "table wide json" },
	{ "explain-breaker-open", say_explain_open, "table" },
	{ "explain-breaker-forced", say_explain_forced, "table" },
	{ "explain-full", say_explain_full, "table" },
	{ "explain-rate", say_explain_rate, "table" },
	{ "explain-panic", say_explain_panic, "table json" },
	{ "explain-due", say_explain_due, "table" },
	{ "service-breaker", say_breaker, "table json" },
	{ "service-breaker-auto", say_breaker_auto, "table" },
	{ "service-breaker-gone", say_breaker_gone, "table" },
	{ "events", say_events, "table wide json" },
	{ "source-list", say_sources, "table wide json" },
	{ "check-references", say_references, "table json" },
	{ "check-broken", say_broken, "table json" },
	{ "check-exact", say_exact, "table json" },
	{ "check-drift", say_drift, "table json" },
	{ "dump-counts", say_counts, "table json" },
	{ "dump-config", say_dump_config, "table" },
	{ "dump-frontends", say_dump_frontends, "table" },
	{ "dump-services", say_dump_services, "table" },
	{ "dump-specs", say_dump_specs, "table" },
	{ "dump-slots", say_dump_slots, "table" },
	{ "dump-backends", say_dump_backends, "table" },
	{ "dump-bstate", say_dump_bstate, "table" },
	{ "dump-sstate", say_dump_sstate, "json" },
};

static void read_all(const char *path, char *text, size_t len)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_msg(f, "%s is not there; tests run in the root of the tree, WEFT_GOLDEN=update makes it", path);
	n = fread(text, 1, len - 1, f);
	text[n] = '\0';
}

static void compare(const char *path, const char *got, size_t len)
{
	static char want[64 * 1024];
	const char *mode = getenv("WEFT_GOLDEN");

	if (mode && strcmp(mode, "update") == 0) {
		_cleanup_(fclosep) FILE *f = fopen(path, "w");

		ck_assert(f && fwrite(got, 1, len, f) == len);
		return;
	}
	read_all(path, want, sizeof(want));
	ck_assert_msg(strcmp(got, want) == 0, "%s differs; it is now:\n%s", path, got);
}

START_TEST(commands_print_what_the_golden_files_say)
{
	static const char *const formats[] = { "table", "wide", "json" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		_cleanup_(freep) char *text = NULL;
		size_t len = 0;
		FILE *to;
		struct fixture f;
		struct out *o;
		char path[128];

		if (!strstr(cases[_i].formats, formats[i]))
			continue;
		to = open_memstream(&text, &len);
		o = out_new(formats[i], to, stderr);
		fixture_init(&f);
		fixture_view(&f);
		cases[_i].say(&f, o);
		ck_assert_int_eq(out_finish(o), 0);
		out_free(o);
		fclose(to);
		fixture_done(&f);
		if (strcmp(formats[i], "json") == 0) {
			json_t *j = json_loadb(text, len, 0, NULL);

			ck_assert_msg(j, "%s: not JSON:\n%s", cases[_i].name, text);
			json_decref(j);
		}
		snprintf(path, sizeof(path), "tests/cli/%s.%s", cases[_i].name, formats[i]);
		compare(path, text, len);
	}
}
END_TEST

START_TEST(view_survives_maps_that_make_no_sense)
{
	struct fixture f;
	FILE *null = fopen("/dev/null", "w");

	fixture_init(&f);
	/* every byte of what the agent writes; sizes and memory are the kernel's and hold */
	memset(f.maps.specs + 1, 0xff, (FIXTURE_SPECS - 1) * sizeof(*f.maps.specs));
	memset(f.maps.services + 1, 0xff, (FIXTURE_SERVICES - 1) * sizeof(*f.maps.services));
	memset(f.maps.backends + 1, 0xff, (FIXTURE_BACKENDS - 1) * sizeof(*f.maps.backends));
	for (uint32_t i = 1; i < FIXTURE_SERVICES; i++)
		f.maps.services[i].spec = i;
	memset(f.maps.bstate + 1, 0xff, (FIXTURE_BACKENDS - 1) * sizeof(*f.maps.bstate));
	memset(f.maps.sstate + 1, 0xff, (FIXTURE_SERVICES - 1) * sizeof(*f.maps.sstate));
	for (uint32_t i = 1; i < FIXTURE_SPECS; i++) {
		memset(f.maps.specs[i].level, 0, sizeof(f.maps.specs[i].level));
		memset(f.maps.specs[i].level + 1, i % 3 ? 0 : 0xff, sizeof(f.maps.specs[i].level[0]));
		f.maps.specs[i].nr_levels = i % 4 ? WEFT_LEVELS : 255;
		f.maps.specs[i].service = i;
		f.maps.specs[i].level[0].slot_base = i % 2 ? 0 : 0xffffffff;
		f.maps.specs[i].level[0].nr_slots = 64;
		f.maps.specs[i].level[0].table_base = 0;
		f.maps.specs[i].level[0].table_size = 0;
	}
	memset(f.maps.slots, 0xff, FIXTURE_SLOTS * sizeof(*f.maps.slots));
	fixture_view(&f);
	for (size_t i = 0; out_formats[i]; i++) {
		struct out *o = out_new(out_formats[i]->name, null, stderr);

		ck_assert_int_eq(report_services(f.view, o), 0);
		report_endpoints(f.view, NULL, NULL, o);
		for (int map = 0; map < PLANE_MAP_MAX; map++)
			report_dump(f.view, map, o);
		explain(f.view, "10.96.0.10:80", 0, o);
		explain(f.view, "10.96.0.53:53", 0, o);
		for (size_t k = 0; k < f.view->nr_services; k++)
			ck_assert_int_eq(report_service(f.view, &f.view->services[k], o), 0);
		report_references(f.view, o);
		out_finish(o);
		out_free(o);
	}
	fixture_done(&f);
	fclose(null);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_views");
	TCase *t = tcase_create("views");

	tcase_add_loop_test(t, commands_print_what_the_golden_files_say, 0, UNIT_NR(cases));
	tcase_add_test(t, view_survives_maps_that_make_no_sense);
	suite_add_tcase(s, t);
	return unit_run(s);
}
