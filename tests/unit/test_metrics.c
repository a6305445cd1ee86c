/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The metrics page: spelled as two golden files say, clean under promtool, summed right. WEFT_GOLDEN=update writes the
 * golden files anew.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "model/service.h"
#include "telemetry/families.h"
#include "telemetry/page.h"
#include "unit.h"

#define GOLDEN_PROMETHEUS  "tests/unit/golden/metrics.prom"
#define GOLDEN_OPENMETRICS "tests/unit/golden/metrics.openmetrics"

static char *read_text(const char *path)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t len = 0;

	ck_assert_msg(f, "cannot open %s; run the tests in the top folder", path);
	ck_assert_int_ge(getdelim(&text, &len, '\0', f), 0);
	return text;
}

static struct page_key key_of(uint32_t service, const char *endpoint, uint32_t caller)
{
	struct page_key key = { .service = service, .endpoint = PAGE_ONE, .caller = caller };
	uint16_t port;

	ck_assert_int_eq(addr_port_parse(endpoint, &key.addr, &port), 0);
	key.port = port;
	return key;
}

static const struct metrics_ejections ejections[] = {
	{ "web", WEFT_CAUSE_REFUSED, 5 },
	{ "web", WEFT_CAUSE_SUCCESS_RATE, 2 },
};
static const struct metrics_health checked[] = {
	{ .service = "web", .successes = 100, .failures = 4, .healthy = 2, .unhealthy = 1 },
};

static const struct metrics_registry registries[] = {
	{ .name = "store", .type = "etcd", .up = true, .heard = 1.5, .answers = 12, .failures = 3, .odd = 1 },
	{ .name = "names", .type = "dns", .heard = -1, .failures = 7 },
};
static const struct metrics_source sources[] = {
	{ .service = "web", .registry = "store", .source = "0", .up = true, .age = 20.25, .endpoints = 3 },
	{ .service = "web", .registry = "names", .source = "1", .age = -1 },
};

static const struct metrics_agent agent = {
	.reloads_ok = 7,
	.reloads_failed = 2,
	.last_ok_unix = 1700000000.25,
	.last_failed = true,
	.apply_seconds = 0.0004,
	.start_unix = 1690000000,
	.services = 2,
	.endpoints = 3,
	.audit_runs = 5,
	.audit_drift = 0,
	.failover_links = 3,
	.checks_late = 1,
	.ejections = ejections,
	.nr_ejections = 2,
	.health = checked,
	.nr_health = 1,
	.registries = registries,
	.nr_registries = 2,
	.sources = sources,
	.nr_sources = 2,
	.names = { .on = true, .names = 4, .udp = 90, .tcp = 2, .lost = 1, .replies = { 1, 70, 5, 6, 7, 3 } },
};

/* One of everything: two services, IPv4 and IPv6, living and dead callers, a name that needs escapes. */
static struct page *given_page(const struct metrics_options *o)
{
	struct page *p = page_new(o, 3);
	struct weft_edge e = {
		.opened = 12, .established = 10, .closed = 9, .bytes_sent = 4096, .bytes_received = 1 << 20
	};
	const struct page_endpoint_sum failing = { .active = 3,
						   .pending = 1,
						   .ejections = 7,
						   .moved = 11,
						   .reset_early = 2,
						   .out = { [PAGE_OUT_EJECTED] = 1, [PAGE_OUT_DRAINED] = 1 } };
	struct page_key key;

	ck_assert_ptr_nonnull(p);
	p->services[1] = (struct page_service){ .name = strdup("web"),
						.refused = 4,
						.ready = 2,
						.draining = 1,
						.out = { [PAGE_OUT_EJECTED] = 1 },
						.connections = 87,
						.pending = 3,
						.max_connections = 100,
						.rate = 250,
						.breaker = "half-open",
						.error_ratio = 0.5,
						.breaker_opened = 2 };
	p->services[2] = (struct page_service){ .name = strdup("dns \"inner\"\\"), .ready = 1, .disabled = 1 };
	ck_assert_int_eq(callers_add(p->callers, 77, "/system.slice/shop.service"), 0);
	ck_assert_int_eq(callers_add(p->callers, 78, "/b\xc3\xa4r"), 0);
	callers_sort(p->callers);

	e.failed[WEFT_FAIL_REFUSED] = 2;
	e.failed[WEFT_FAIL_RESET] = 1;
	e.retransmits = 3;
	e.handshake[0] = 1;
	e.handshake[7] = 8;
	e.handshake[WEFT_HIST - 1] = 1;
	e.handshake_us = 1501500;
	e.rtt[6] = 9;
	e.rtt_us = 900;
	key = key_of(1, "10.0.0.1:80", callers_find(p->callers, 77));
	ck_assert_int_eq(page_add_edge(p, &key, &e), 0);
	key = key_of(1, "10.0.0.1:80", callers_find(p->callers, 999));
	ck_assert_int_eq(page_add_edge(p, &key, &(struct weft_edge){ .opened = 1, .closed = 1 }), 0);
	key = key_of(2, "[fd00::1]:53", callers_find(p->callers, 78));
	ck_assert_int_eq(page_add_edge(p, &key, &(struct weft_edge){ .opened = 5, .established = 5 }), 0);
	key = (struct page_key){ .service = 1, .endpoint = PAGE_REMOVED, .caller = CALLER_GONE };
	ck_assert_int_eq(page_add_edge(p, &key, &(struct weft_edge){ .opened = 3, .closed = 3 }), 0);

	key = key_of(1, "10.0.0.1:80", CALLER_NONE);
	ck_assert_int_eq(page_add_endpoint(p, &key, &failing, 250), 0);
	key = key_of(1, "10.0.0.2:80", CALLER_NONE);
	ck_assert_int_eq(page_add_endpoint(p, &key, &(struct page_endpoint_sum){ 0 }, 0), 0);
	key = key_of(2, "[fd00::1]:53", CALLER_NONE);
	ck_assert_int_eq(page_add_endpoint(p, &key, &(struct page_endpoint_sum){ .active = 1 }, 0), 0);

	p->has_counts = true;
	for (unsigned i = 0; i < WEFT_R_MAX; i++)
		p->counts[i] = i * 10;
	p->has_usage[PLANE_MAP_EDGES] = p->has_usage[PLANE_MAP_FLOWS] = true;
	p->usage[PLANE_MAP_EDGES] = (struct map_usage){ 4, 65536, 32768 };
	p->usage[PLANE_MAP_FLOWS] = (struct map_usage){ 4, 0, 0 };
	page_sort(p);
	return p;
}

static char *written(const struct page *p)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(page_write(p, f), 0);
	fclose(f);
	return text;
}

static char *given_text(enum metrics_format format)
{
	const struct metrics_options o = { format, true, true, 100, &agent };
	_cleanup_(page_freep) struct page *p = given_page(&o);

	return written(p);
}

/* The one line that every commit changes. */
static void cut_build(char *text)
{
	char *line = strstr(text, "weft_build_info{");

	ck_assert_msg(line, "the page has no build info");
	memmove(line, strchr(line, '\n') + 1, strlen(strchr(line, '\n') + 1) + 1);
}

static void compare_with(const char *path, enum metrics_format format)
{
	_cleanup_(freep) char *is = given_text(format);
	_cleanup_(freep) char *should = NULL;
	size_t i = 0, line = 1;

	cut_build(is);
	if (getenv("WEFT_GOLDEN")) {
		_cleanup_(fclosep) FILE *f = fopen(path, "w");

		ck_assert_ptr_nonnull(f);
		fputs(is, f);
		return;
	}
	should = read_text(path);
	for (; is[i] && is[i] == should[i]; i++)
		line += is[i] == '\n';
	ck_assert_msg(is[i] == should[i], "%s:%zu differs: \"%.60s\", the page has \"%.60s\"", path, line, should + i,
		      is + i);
}

START_TEST(pages_are_spelled_as_the_golden_files_say)
{
	compare_with(GOLDEN_PROMETHEUS, METRICS_PROMETHEUS);
	compare_with(GOLDEN_OPENMETRICS, METRICS_OPENMETRICS);
}
END_TEST

START_TEST(page_is_clean_under_promtool)
{
	_cleanup_(freep) char *text = given_text(METRICS_PROMETHEUS);
	FILE *to;

	if (system("command -v promtool >/dev/null") != 0) {
		fprintf(stderr, "test_metrics: SKIPPED: promtool is not installed, the page was not checked with it\n");
		return;
	}
	to = popen("promtool check metrics", "w");
	ck_assert_ptr_nonnull(to);
	fputs(text, to);
	ck_assert_int_eq(pclose(to), 0);
}
END_TEST

/* Every series once, every family's lines together, and the rules of OpenMetrics that promtool does not know. */
START_TEST(openmetrics_page_follows_its_rules)
{
	_cleanup_(freep) char *text = given_text(METRICS_OPENMETRICS);
	size_t len = strlen(text);

	ck_assert(len > 6 && strcmp(text + len - 6, "# EOF\n") == 0);
	ck_assert_ptr_null(strstr(text, "\n\n"));
	ck_assert_ptr_nonnull(strstr(text, "# TYPE weft_connections_opened counter\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nweft_connections_opened_total{"));
	ck_assert_ptr_nonnull(strstr(text, "# UNIT weft_sent_bytes bytes\n"));
	ck_assert_ptr_nonnull(strstr(text, "# TYPE weft_build info\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nweft_build_info{version="));
	for (int i = 0; i < METRICS_FAMILY_MAX; i++) {
		const struct metrics_family_row *f = &metrics_families[i];
		size_t name = strlen(f->name), unit = strlen(f->unit);

		ck_assert_msg(!unit || (name > unit && strcmp(f->name + name - unit, f->unit) == 0),
			      "the name of %s must end with its unit", f->name);
	}
}
END_TEST

/* Maps as arrays in memory; hashes are not there. */
static struct weft_service services[3];
static struct weft_sstate sstate[3];
static struct weft_backend backends[8];
static struct weft_bstate bstate[8];

static struct maps given_maps(void)
{
	struct maps m = { .services = services, .sstate = sstate, .backends = backends, .bstate = bstate };

	memset(backends, 0, sizeof(backends));
	memset(bstate, 0, sizeof(bstate));
	for (int i = 0; i < PLANE_MAP_MAX; i++)
		m.fd[i] = -1;
	m.capacity[PLANE_MAP_SERVICES] = 3;
	m.capacity[PLANE_MAP_BACKENDS] = 8;
	services[1] = (struct weft_service){ .name = "web", .flags = WEFT_SERVICE_F_USED };
	sstate[1].refused = 6;
	return m;
}

static void given_backend(uint32_t id, const char *address, uint32_t flags, uint32_t active, uint32_t latency_us)
{
	uint16_t port;

	ck_assert_int_eq(addr_port_parse(address, &backends[id].addr, &port), 0);
	backends[id].port_be = htons(port);
	backends[id].weight = 1;
	backends[id].flags = flags | WEFT_BACKEND_F_USED;
	backends[id].service = 1;
	bstate[id].active = active;
	bstate[id].ewma.us = latency_us;
}

START_TEST(endpoints_with_one_address_are_one_row)
{
	const struct metrics_options o = { METRICS_PROMETHEUS, true, true, 100, NULL };
	_cleanup_(page_freep) struct page *p = NULL;
	struct maps m = given_maps();

	given_backend(1, "10.0.0.9:80", WEFT_BACKEND_F_DRAINING, 4, 0);
	given_backend(2, "10.0.0.8:80", WEFT_BACKEND_F_READY, 1, 70);
	given_backend(3, "10.0.0.9:80", WEFT_BACKEND_F_READY, 5, 90);
	ck_assert_int_eq(page_collect(&m, &o, &p), 0);
	ck_assert_uint_eq(p->endpoints.nr, 2);
	ck_assert_uint_eq(page_endpoint_at(p, 1)->sum.active, 9);
	ck_assert_uint_eq(page_endpoint_at(p, 1)->latency_us, 90);
	ck_assert_uint_eq(p->services[1].ready, 2);
	ck_assert_uint_eq(p->services[1].draining, 1);
	ck_assert_uint_eq(p->services[1].refused, 6);
	ck_assert_ptr_null(p->services[2].name);
}
END_TEST

/* Each endpoint is counted in one state, and each reason has its own figure. */
START_TEST(endpoints_out_of_service_are_told_apart)
{
	const struct metrics_options o = { METRICS_PROMETHEUS, true, true, 100, NULL };
	_cleanup_(page_freep) struct page *p = NULL;
	_cleanup_(freep) char *text = NULL;
	struct maps m = given_maps();

	given_backend(1, "10.0.0.1:80", WEFT_BACKEND_F_READY, 0, 0);
	given_backend(2, "10.0.0.2:80", WEFT_BACKEND_F_READY, 0, 0);
	given_backend(3, "10.0.0.3:80", WEFT_BACKEND_F_READY, 0, 0);
	given_backend(4, "10.0.0.4:80", WEFT_BACKEND_F_DRAINING, 0, 0);
	bstate[1].out = WEFT_OUT_EJECTED;
	bstate[2].out = WEFT_OUT_EJECTED | WEFT_OUT_UNHEALTHY | WEFT_OUT_DRAINED;
	bstate[4].out = WEFT_OUT_EJECTED; /* of no service any more: nobody asks */
	services[1].flags |= WEFT_SERVICE_F_FORCE_OPEN;
	ck_assert_int_eq(page_collect(&m, &o, &p), 0);
	text = written(p);
	ck_assert_ptr_nonnull(strstr(text, "\nweft_service_endpoints{service=\"web\",state=\"ready\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nweft_service_endpoints{service=\"web\",state=\"ejected\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nweft_service_endpoints{service=\"web\",state=\"drained\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nweft_service_endpoints{service=\"web\",state=\"unhealthy\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "endpoint=\"10.0.0.2:80\",why=\"unhealthy\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "endpoint=\"10.0.0.4:80\",why=\"ejected\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nweft_service_breaker{service=\"web\",state=\"forced-open\"} 1\n"));
	services[1].flags = WEFT_SERVICE_F_USED;
}
END_TEST

START_TEST(without_endpoints_rows_are_summed_per_service)
{
	const struct metrics_options o = { METRICS_PROMETHEUS, false, false, 1, NULL };
	_cleanup_(page_freep) struct page *p = NULL;
	_cleanup_(freep) char *text = NULL;
	struct maps m = given_maps();

	for (uint32_t i = 1; i < 8; i++)
		given_backend(i, i & 1 ? "10.0.0.1:80" : "[fd00::2]:80", WEFT_BACKEND_F_READY, i, i);
	ck_assert_int_eq(page_collect(&m, &o, &p), 0);
	text = written(p);
	ck_assert_ptr_nonnull(strstr(text, "\nweft_connections_active{service=\"web\"} 28\n"));
	ck_assert_ptr_null(strstr(text, "endpoint="));
	ck_assert_ptr_null(strstr(text, "\nweft_endpoint_latency_seconds{"));
	ck_assert_uint_eq(p->dropped, 0);
}
END_TEST

START_TEST(rows_beyond_the_limit_are_summed_into_other)
{
	const struct metrics_options o = { METRICS_PROMETHEUS, true, true, 2, NULL };
	_cleanup_(page_freep) struct page *p = page_new(&o, 3);
	_cleanup_(freep) char *text = NULL;

	p->services[1].name = strdup("web");
	for (unsigned i = 1; i <= 200; i++) {
		struct page_key key = key_of(1, "10.0.0.1:80", CALLER_GONE);

		key.addr.byte[15] = (uint8_t)i;
		ck_assert_int_eq(page_add_edge(p, &key, &(struct weft_edge){ .opened = 1 }), 0);
		ck_assert_int_eq(page_add_edge(p, &key, &(struct weft_edge){ .opened = 1 }), 0);
	}
	page_sort(p);
	ck_assert_uint_eq(p->edges.nr, 3);
	text = written(p);
	ck_assert_ptr_nonnull(strstr(
		text, "\nweft_connections_opened_total{service=\"web\",endpoint=\"other\",caller=\"other\"} 396\n"));
	ck_assert_ptr_nonnull(strstr(
		text, "\nweft_connections_opened_total{service=\"web\",endpoint=\"10.0.0.1:80\",caller=\"gone\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nweft_series_dropped 396\n"));
}
END_TEST

START_TEST(many_rows_keep_their_sums)
{
	const struct metrics_options o = { METRICS_PROMETHEUS, true, true, 1000000, NULL };
	_cleanup_(page_freep) struct page *p = page_new(&o, 3);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		struct page_key key = { .service = 1, .endpoint = PAGE_ONE, .port = i % 5000 + 1, .caller = i % 2 };

		ck_assert_int_eq(page_add_edge(p, &key, &(struct weft_edge){ .rtt_us = i }), 0);
	}
	ck_assert_uint_eq(p->edges.nr, 5000);
	for (uint32_t i = 0; i < p->edges.nr; i++)
		sum += page_edge_at(p, i)->sum.rtt_us;
	ck_assert_uint_eq(sum, 20000ull * 19999 / 2);
}
END_TEST

static const struct {
	const char *accept;
	enum metrics_format format;
} accepts[] = {
	{ NULL, METRICS_PROMETHEUS },
	{ "", METRICS_PROMETHEUS },
	{ "*/*", METRICS_PROMETHEUS },
	{ "text/html, */*;q=0.1", METRICS_PROMETHEUS },
	{ "application/openmetrics-text", METRICS_OPENMETRICS },
	{ "APPLICATION/OpenMetrics-Text;version=1.0.0", METRICS_OPENMETRICS },
	/* what Prometheus 2.42 sends */
	{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
	  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	  METRICS_OPENMETRICS },
	{ "text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5", METRICS_PROMETHEUS },
	{ "application/openmetrics-text; q=0", METRICS_PROMETHEUS },
	{ "application/openmetrics-textual", METRICS_PROMETHEUS },
	{ ",,,; ;q=,", METRICS_PROMETHEUS },
};

START_TEST(accept_header_chooses_the_format)
{
	ck_assert_int_eq(metrics_negotiate(accepts[_i].accept), accepts[_i].format);
}
END_TEST

START_TEST(callers_are_found_by_inode)
{
	char root[] = "/tmp/weft-test-callers-XXXXXX", below[64];
	_cleanup_(callers_freep) struct callers *c = callers_new();
	struct stat st, top;

	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(below, sizeof(below), "%s/a", root);
	ck_assert_int_eq(mkdir(below, 0755), 0);
	ck_assert_int_eq(stat(below, &st), 0);
	ck_assert_int_eq(stat(root, &top), 0);
	ck_assert_int_eq(callers_note(c, st.st_ino), 0);
	ck_assert_int_eq(callers_note(c, 12345), 0);
	ck_assert_int_eq(callers_walk(c, root), 0);
	rmdir(below);
	rmdir(root);
	ck_assert_str_eq(callers_text(c, callers_find(c, st.st_ino)), "/a");
	ck_assert_str_eq(callers_text(c, callers_find(c, top.st_ino)), "/");
	ck_assert_str_eq(callers_text(c, callers_find(c, st.st_ino ^ 1ull << 40)), "gone");
	ck_assert_str_eq(callers_text(c, callers_find(c, 0)), "unknown");
	ck_assert(callers_is_gone(c, 12345) && callers_is_gone(c, WEFT_CALLER_GONE));
	ck_assert(!callers_is_gone(c, st.st_ino) && !callers_is_gone(c, 12346) && !callers_is_gone(c, 0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics");

	tcase_add_test(t, pages_are_spelled_as_the_golden_files_say);
	tcase_add_test(t, page_is_clean_under_promtool);
	tcase_add_test(t, openmetrics_page_follows_its_rules);
	tcase_add_test(t, endpoints_with_one_address_are_one_row);
	tcase_add_test(t, endpoints_out_of_service_are_told_apart);
	tcase_add_test(t, without_endpoints_rows_are_summed_per_service);
	tcase_add_test(t, rows_beyond_the_limit_are_summed_into_other);
	tcase_add_test(t, many_rows_keep_their_sums);
	tcase_add_loop_test(t, accept_header_chooses_the_format, 0, UNIT_NR(accepts));
	tcase_add_test(t, callers_are_found_by_inode);
	suite_add_tcase(s, t);
	return unit_run(s);
}
