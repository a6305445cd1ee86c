/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Clusters of Envoy as services. */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

#include "registry/envoy_cluster.h"
#include "unit.h"

static struct envoy_odd odd;
static struct envoy_cluster cluster;
static json_t *root;
static char why[160];

static void teardown(void)
{
	envoy_cluster_done(&cluster);
	json_decref(root);
	root = NULL;
}

static const json_t *given(const char *text)
{
	json_decref(root);
	root = envoy_parse(text, strlen(text), why, sizeof(why));
	ck_assert_msg(root, "%s: %s", text, why);
	return root;
}

static int take(const char *text)
{
	envoy_cluster_done(&cluster);
	odd = (struct envoy_odd){ 0 };
	return envoy_cluster(given(text), &cluster, &odd, why, sizeof(why));
}

START_TEST(a_cluster)
{
	const struct service *s;

	ck_assert_int_eq(
		take("name: web\ntype: EDS\neds_cluster_config: { service_name: web-eds, eds_config: { "
		     "api_config_source: {} } }\n"
		     "connect_timeout: 0.25s\nlb_policy: LEAST_REQUEST\n"
		     "least_request_lb_config: { slow_start_config: { slow_start_window: 30s, min_weight_percent: { "
		     "value: 20 } } }\n"
		     "common_lb_config: { healthy_panic_threshold: { value: 33.3 }, zone_aware_lb_config: { "
		     "min_cluster_size: 3 } }\n"
		     "circuit_breakers:\n"
		     "  thresholds: [{ priority: DEFAULT, max_connections: 100, max_pending_requests: 10, max_retries: "
		     "3 }]\n"
		     "  per_host_thresholds: [{ max_connections: 20 }]\n"
		     "outlier_detection: { consecutive_5xx: 3, interval: 5s, base_ejection_time: 10s, "
		     "max_ejection_time: 60s,"
		     " max_ejection_percent: 40, enforcing_success_rate: 0 }\n"
		     "health_checks: [{ timeout: 2s, interval: 5s, unhealthy_threshold: 4, healthy_threshold: 1,"
		     " interval_jitter_percent: 25, http_health_check: { path: /ok, host: web, expected_statuses:"
		     " [{ start: 200, end: 300 }] } }]\n"
		     "metadata: { filter_metadata: { weft: { address: \"10.96.0.10:80\" } } }\n"),
		0);
	s = cluster.service;
	ck_assert(cluster.eds);
	ck_assert_str_eq(cluster.eds_name, "web-eds");
	ck_assert_ptr_null(cluster.eds_path);
	ck_assert_str_eq(s->name, "web");
	ck_assert_uint_eq(s->nr_frontends, 1);
	ck_assert_uint_eq(s->lb, WEFT_LB_LEAST_REQUEST);
	ck_assert_uint_eq(s->connect_timeout_ms, 250);
	ck_assert_uint_eq(s->slow_start_ms, 30000);
	ck_assert_uint_eq(s->slow_start_percent, 20);
	ck_assert_uint_eq(s->panic_percent, 34);
	ck_assert(s->zone_aware);
	ck_assert_uint_eq(s->zone_endpoints, 3);
	ck_assert_uint_eq(s->limits.connections, 100);
	ck_assert_uint_eq(s->limits.pending, 10);
	ck_assert_uint_eq(s->limits.endpoint_connections, 20);
	ck_assert(s->ejection.on);
	ck_assert_uint_eq(s->ejection.failures, 3);
	ck_assert_uint_eq(s->ejection.interval_ms, 5000);
	ck_assert_uint_eq(s->ejection.base_ms, 10000);
	ck_assert_uint_eq(s->ejection.max_ms, 60000);
	ck_assert_uint_eq(s->ejection.percent, 40);
	ck_assert_uint_eq(s->ejection.rate_endpoints, 0);
	ck_assert_uint_eq(s->check.type, HEALTH_HTTP);
	ck_assert_str_eq(s->check.path, "/ok");
	ck_assert_str_eq(s->check.host, "web");
	ck_assert_uint_eq(s->check.status_min, 200);
	ck_assert_uint_eq(s->check.status_max, 299);
	ck_assert_uint_eq(s->check.interval_ms, 5000);
	ck_assert_uint_eq(s->check.timeout_ms, 2000);
	ck_assert_uint_eq(s->check.rise, 1);
	ck_assert_uint_eq(s->check.fall, 4);
	ck_assert_uint_eq(s->check.jitter, 25);
	ck_assert_msg(!odd.nr, "%s", odd.text);
}
END_TEST

/* What is not written is as Envoy has it when it is not written. */
START_TEST(a_bare_cluster)
{
	ck_assert_int_eq(take("{\"name\":\"web\",\"loadAssignment\":{\"endpoints\":[]}}"), 0);
	ck_assert(!cluster.eds);
	ck_assert_ptr_nonnull(cluster.assignment);
	ck_assert_uint_eq(cluster.service->lb, WEFT_LB_ROUND_ROBIN);
	ck_assert_uint_eq(cluster.service->connect_timeout_ms, 5000);
	ck_assert_uint_eq(cluster.service->nr_frontends, 0);
	ck_assert_uint_eq(cluster.service->limits.connections, 0);
	ck_assert_uint_eq(cluster.service->check.type, HEALTH_NONE);
	ck_assert(!cluster.service->ejection.on);
	ck_assert_int_eq(take("{\"name\":\"web\",\"type\":3,\"outlierDetection\":{}}"), 0);
	ck_assert_str_eq(cluster.eds_name, "web");
	ck_assert(cluster.service->ejection.on);
	ck_assert_uint_eq(cluster.service->ejection.failures, 5);
	ck_assert_uint_eq(cluster.service->ejection.percent, 10);
	ck_assert_uint_eq(cluster.service->ejection.rate_endpoints, 5);
}
END_TEST

static const struct {
	const char *more;
	int lb;
} balances[] = {
	{ "lb_policy: ROUND_ROBIN", WEFT_LB_ROUND_ROBIN },
	{ "lb_policy: RANDOM", WEFT_LB_RANDOM },
	{ "lb_policy: RING_HASH", WEFT_LB_MAGLEV },
	{ "lb_policy: MAGLEV", WEFT_LB_MAGLEV },
	{ "lb_policy: 5", WEFT_LB_MAGLEV },
	{ "lb_policy: 1", WEFT_LB_LEAST_REQUEST },
	{ "load_balancing_policy: { policies: [{ typed_extension_config: { name: x, typed_config: { '@type': "
	  "t/a.b.Mine } } },"
	  " { typed_extension_config: { name: r, typed_config: { '@type': "
	  "type.googleapis.com/envoy.extensions.load_balancing_policies.random.v3.Random } } }] }",
	  WEFT_LB_RANDOM },
	{ "load_balancing_policy: { policies: [{ typed_extension_config: { typed_config: { '@type': t/x.v3.WrrLocality,"
	  " endpoint_picking_policy: { policies: [{ typed_extension_config: { typed_config: { '@type': "
	  "t/x.v3.LeastRequest } } }] } "
	  "} } }] }",
	  WEFT_LB_LEAST_REQUEST },
	{ "lb_policy: CLUSTER_PROVIDED", -1 },
	{ "lb_policy: 4", -1 },
	{ "lb_policy: 99", -1 },
	{ "lb_policy: SOMETHING", -1 },
};

START_TEST(policies_of_balancing)
{
	char text[1024];

	snprintf(text, sizeof(text), "name: web\n%s\n", balances[_i].more);
	ck_assert_int_eq(take(text), 0);
	if (balances[_i].lb < 0)
		ck_assert_uint_ge(odd.nr, 1);
	else
		ck_assert_uint_eq(cluster.service->lb, (unsigned)balances[_i].lb);
	ck_assert_int_eq(cluster.reading.locality_weights, strstr(text, "WrrLocality") != NULL);
}
END_TEST

static const struct {
	const char *more;
	const char *wanted; /* failures on */
} outliers[] = {
	{ "{}", "5 1" },
	{ "{ consecutive_5xx: 7 }", "7 1" },
	{ "{ consecutive_gateway_failure: 2 }", "5 1" },
	{ "{ consecutive_gateway_failure: 2, enforcing_consecutive_gateway_failure: 100 }", "2 1" },
	{ "{ enforcing_consecutive_5xx: 0 }", "0 1" },
	{ "{ enforcing_consecutive_5xx: 0, enforcing_success_rate: 0 }", "5 0" },
	{ "{ consecutive_5xx: 0, enforcing_success_rate: 0 }", "5 0" },
	{ "{ split_external_local_origin_errors: true, consecutive_5xx: 9, consecutive_local_origin_failure: 4 }",
	  "4 1" },
	{ "{ split_external_local_origin_errors: true, enforcing_consecutive_local_origin_failure: 0 }", "0 1" },
	{ "{ consecutive_5xx: 4000000000 }", "1000000 1" },
};

START_TEST(what_ejects)
{
	char text[512];

	snprintf(text, sizeof(text), "name: web\noutlier_detection: %s\n", outliers[_i].more);
	ck_assert_int_eq(take(text), 0);
	snprintf(text, sizeof(text), "%u %d", cluster.service->ejection.failures, cluster.service->ejection.on);
	ck_assert_str_eq(text, outliers[_i].wanted);
}
END_TEST

/* Nothing that the form in which it is kept (docs/CONFIG.md) would refuse. */
START_TEST(values_are_brought_into_range)
{
	const struct service *s;

	ck_assert_int_eq(
		take("name: web\nconnect_timeout: 0.001s\n"
		     "circuit_breakers: { thresholds: [{ max_connections: 4294967295, max_pending_requests: 5 },"
		     " { priority: HIGH }], per_host_thresholds: [{ max_connections: 0 }] }\n"
		     "outlier_detection: { interval: 0s, base_ejection_time: 0s, max_ejection_time: 99999999s,"
		     " max_ejection_percent: 0, success_rate_minimum_hosts: 1, success_rate_stdev_factor: 99999 }\n"
		     "common_lb_config: { healthy_panic_threshold: { value: -3 } }\n"
		     "health_checks: [{ redis_health_check: {} }, { timeout: 9s, interval: 1s, tcp_health_check: { "
		     "send: {} } }]\n"),
		0);
	s = cluster.service;
	ck_assert_uint_eq(s->connect_timeout_ms, 20);
	ck_assert_uint_eq(s->limits.connections, 0);
	ck_assert_uint_eq(s->limits.pending, 5);
	ck_assert_uint_eq(s->limits.endpoint_connections, 0);
	ck_assert_uint_eq(s->ejection.interval_ms, 100);
	ck_assert_uint_eq(s->ejection.base_ms, 1);
	ck_assert_uint_eq(s->ejection.max_ms, 24 * 3600 * 1000);
	ck_assert_uint_eq(s->ejection.percent, 1);
	ck_assert_uint_eq(s->ejection.rate_endpoints, 2);
	ck_assert_uint_eq(s->ejection.rate_stdev, 10000);
	ck_assert_uint_eq(s->panic_percent, 0);
	ck_assert_uint_eq(s->check.type, HEALTH_TCP);
	ck_assert_uint_eq(s->check.timeout_ms, 1000);
	ck_assert_uint_ge(odd.nr, 5);
	ck_assert_int_eq(take("name: web\ncircuit_breakers: { thresholds: [{ max_connections: 10, "
			      "max_pending_requests: 11 }] }\n"),
			 0);
	ck_assert_uint_eq(cluster.service->limits.connections, 10);
	ck_assert_uint_eq(cluster.service->limits.pending, 0);
	/* Envoy's duration of 3 ns is no time, but not none. */
	ck_assert_int_eq(take("name: web\nconnect_timeout: 130.000000003s\n"), 0);
	ck_assert_uint_eq(cluster.service->connect_timeout_ms, 127000);
}
END_TEST

START_TEST(checks_over_tls)
{
	ck_assert_int_eq(
		take("name: web\nhealth_checks: [{ interval: 1s, timeout: 1s, http_health_check: { path: /x } }]\n"
		     "transport_socket: { name: tls, typed_config: { '@type': t/envoy.x.v3.UpstreamTlsContext, sni: "
		     "web.local,"
		     " common_tls_context: { validation_context: { trusted_ca: { filename: /ca.pem } } } } }\n"),
		0);
	ck_assert_uint_eq(cluster.service->check.type, HEALTH_HTTPS);
	ck_assert(cluster.service->check.tls_verify);
	ck_assert_str_eq(cluster.service->check.ca_file, "/ca.pem");
	ck_assert_str_eq(cluster.service->check.host, "web.local");
	ck_assert_int_eq(take("name: web\nhealth_checks: [{ grpc_health_check: { service_name: s, authority: a } }]\n"),
			 0);
	ck_assert_uint_eq(cluster.service->check.type, HEALTH_GRPC);
	ck_assert_str_eq(cluster.service->check.grpc_service, "s");
	ck_assert(!cluster.service->check.tls);
}
END_TEST

#define WEFT(more) "name: web\nmetadata: { filter_metadata: { weft: { " more " } } }\n"

START_TEST(addresses)
{
	ck_assert_int_eq(take(WEFT("address: [\"10.96.0.1:80\", \"10.96.0.1:443\", \"10.96.0.1:80\"]")), 0);
	ck_assert_uint_eq(cluster.service->nr_frontends, 2);
	ck_assert_int_eq(take(WEFT("port: \"8080\", protocol: udp")), 0);
	ck_assert_uint_eq(cluster.port, 8080);
	ck_assert_uint_eq(cluster.service->proto, IPPROTO_UDP);
	ck_assert_uint_eq(cluster.service->connect_timeout_ms, 0);
	ck_assert(!cluster.service->ejection.on);
}
END_TEST

static const char *const bad_clusters[] = {
	"{}",
	"[]",
	"name: \"\"",
	"name: 7",
	"name: \"a b\"",
	"name: \"a\\\"b\"",
	"name: \"gr\xc3\xbc\xc3\x9f\"",
	"{ name: web, type: ORIGINAL_DST }",
	"{ name: web, type: 4 }",
	"{ name: web, type: FANCY }",
	"{ name: web, cluster_type: { name: envoy.clusters.aggregate } }",
	"{ name: web, type: EDS, eds_cluster_config: { eds_config: { path: eds.json } } }",
	WEFT("address: 10.96.0.1"),
	WEFT("address: \"0.0.0.0:80\""),
	WEFT("address: \"224.0.0.1:80\""),
	WEFT("address: [\"10.96.0.1:80\", \"[fd00::1]:80\"]"),
	WEFT("address: [7]"),
	WEFT("port: 65536"),
	WEFT("protocol: sctp"),
};

START_TEST(clusters_that_cannot_be_had)
{
	ck_assert_int_eq(take(bad_clusters[_i]), -EBADMSG);
	ck_assert_str_ne(why, "");
	ck_assert_ptr_null(cluster.service);
}
END_TEST

START_TEST(long_names)
{
	char text[256], name[WEFT_NAME_LEN];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert(envoy_service_name(text, name, sizeof(name)));
	ck_assert_uint_eq(strlen(name), WEFT_NAME_LEN - 1);
	ck_assert_int_eq(name[WEFT_NAME_LEN - 10], '~');
	ck_assert(envoy_service_name("outbound|80||web.shop.svc.cluster.local", name, sizeof(name)));
	ck_assert_str_eq(name, "outbound|80||web.shop.svc.cluster.local");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("envoy_cluster");
	TCase *t = tcase_create("clusters");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, a_cluster);
	tcase_add_test(t, a_bare_cluster);
	tcase_add_loop_test(t, policies_of_balancing, 0, UNIT_NR(balances));
	tcase_add_loop_test(t, what_ejects, 0, UNIT_NR(outliers));
	tcase_add_test(t, values_are_brought_into_range);
	tcase_add_test(t, checks_over_tls);
	tcase_add_test(t, addresses);
	tcase_add_loop_test(t, clusters_that_cannot_be_had, 0, UNIT_NR(bad_clusters));
	tcase_add_test(t, long_names);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(suite());
}
