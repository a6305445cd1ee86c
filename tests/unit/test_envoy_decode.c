/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a control plane for Envoy says, as endpoints and services. */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/envoy_cluster.h"
#include "unit.h"

static struct found found;
static struct envoy_odd odd;
static struct envoy_reading how;
static struct envoy_cluster cluster;
static json_t *root;
static char why[160];

static void setup(void)
{
	how = (struct envoy_reading){ .locality_weights = true };
	odd = (struct envoy_odd){ 0 };
	*why = '\0';
}

static void teardown(void)
{
	found_done(&found);
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

static int decode(const char *text)
{
	found_done(&found);
	odd = (struct envoy_odd){ 0 };
	return envoy_endpoints(given(text), &how, &found, &odd, why, sizeof(why));
}

/* "10.0.0.1:80 weight/priority zone !" with "!" for unready; a host's name in the place of an address. */
static const char *text_of(size_t i)
{
	static char text[256];
	const struct found_endpoint *e = &found.at[i];
	char address[ADDR_TEXT_LEN];

	ck_assert_uint_lt(i, found.nr);
	if (e->host)
		snprintf(address, sizeof(address), "%s:%u", e->host, e->endpoint.port);
	else
		addr_port_format(&e->endpoint.addr, e->endpoint.port, address, sizeof(address));
	snprintf(text, sizeof(text), "%s %u/%u%s%s%s", address, e->endpoint.weight, e->endpoint.priority,
		 e->endpoint.zone ? " " : "", e->endpoint.zone ? e->endpoint.zone : "",
		 e->endpoint.unready ? " !" : "");
	return text;
}

#define ENDPOINT(a, p, more)                                                                                           \
	"{\"endpoint\":{\"address\":{\"socket_address\":{\"address\":\"" a "\",\"port_value\":" p "}}}" more "}"
#define ASSIGNMENT(localities) "{\"cluster_name\":\"web\",\"endpoints\":[" localities "]}"
#define LOCALITY(more, list)   "{\"lb_endpoints\":[" list "]" more "}"
#define ONE(list)	       ASSIGNMENT(LOCALITY("", list))

/* As Istio's and go-control-plane's REST servers send it. */
START_TEST(an_assignment)
{
	ck_assert_int_eq(
		decode("{\"@type\":\"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\","
		       "\"clusterName\":\"outbound|80||web.shop.svc.cluster.local\",\"endpoints\":[{\"locality\":"
		       "{\"region\":\"eu\",\"zone\":\"eu-1\",\"subZone\":\"rack-7\"},\"priority\":1,\"lbEndpoints\":[{"
		       "\"endpoint\":{\"address\":{\"socketAddress\":{\"address\":\"10.0.0.1\",\"portValue\":\"8080\"}}"
		       ","
		       "\"hostname\":\"web-1\",\"healthCheckConfig\":{}},\"healthStatus\":\"HEALTHY\","
		       "\"metadata\":{\"filterMetadata\":{\"envoy.lb\":{\"version\":\"v2\",\"canary\":true,\"shard\":7}"
		       "}},"
		       "\"loadBalancingWeight\":3}]}],\"policy\":{\"overprovisioningFactor\":140}}"),
		0);
	ck_assert_uint_eq(found.nr, 1);
	ck_assert_str_eq(text_of(0), "10.0.0.1:8080 3/1 eu-1");
	ck_assert_str_eq(found.at[0].name, "web-1");
	ck_assert_str_eq(found_label(&found.at[0], "region"), "eu");
	ck_assert_str_eq(found_label(&found.at[0], "zone"), "eu-1");
	ck_assert_str_eq(found_label(&found.at[0], "sub_zone"), "rack-7");
	ck_assert_str_eq(found_label(&found.at[0], "version"), "v2");
	ck_assert_str_eq(found_label(&found.at[0], "canary"), "true");
	ck_assert_str_eq(found_label(&found.at[0], "shard"), "7");
	ck_assert_uint_eq(odd.nr, 0);
}
END_TEST

static const struct {
	const char *more, *wanted;
} health[] = {
	{ "", "10.0.0.1:80 1/0" },
	{ ",\"health_status\":\"UNKNOWN\"", "10.0.0.1:80 1/0" },
	{ ",\"health_status\":null", "10.0.0.1:80 1/0" },
	{ ",\"health_status\":\"HEALTHY\"", "10.0.0.1:80 1/0" },
	{ ",\"healthStatus\":1", "10.0.0.1:80 1/0" },
	{ ",\"health_status\":\"UNHEALTHY\"", "10.0.0.1:80 1/0 !" },
	{ ",\"health_status\":2", "10.0.0.1:80 1/0 !" },
	{ ",\"health_status\":\"DRAINING\"", "10.0.0.1:80 1/0 !" },
	{ ",\"health_status\":\"TIMEOUT\"", "10.0.0.1:80 1/0 !" },
	{ ",\"health_status\":\"4\"", "10.0.0.1:80 1/0 !" },
	{ ",\"health_status\":\"DEGRADED\"", "10.0.0.1:80 1/1" },
	{ ",\"load_balancing_weight\":\"17\"", "10.0.0.1:80 17/0" },
	{ ",\"load_balancing_weight\":0", "10.0.0.1:80 0/0" },
	{ ",\"load_balancing_weight\":1e2", "10.0.0.1:80 100/0" },
};

START_TEST(health_and_weights)
{
	char text[512];

	snprintf(text, sizeof(text), "%s%s}]}]}",
		 "{\"endpoints\":[{\"lb_endpoints\":[{\"endpoint\":{\"address\":{\"socket_address\":"
		 "{\"address\":\"10.0.0.1\",\"port_value\":80}}}",
		 health[_i].more);
	ck_assert_int_eq(decode(text), 0);
	ck_assert_str_eq(text_of(0), health[_i].wanted);
	ck_assert_uint_eq(odd.nr, 0);
}
END_TEST

START_TEST(degraded_ones_come_last)
{
	ck_assert_int_eq(
		decode(ASSIGNMENT(LOCALITY(
			"",
			ENDPOINT("10.0.0.1", "80", "") "," ENDPOINT(
				"10.0.0.2", "80",
				",\"health_status\":\"DEGRADED\"")) "," LOCALITY(",\"priority\":2",
										 ENDPOINT("10.0.0.3", "80",
											  "") "," ENDPOINT("10.0.0.4",
													   "80",
													   ",\"health_"
													   "status\":"
													   "\"DEGRADED"
													   "\"")))),
		0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0");
	ck_assert_str_eq(text_of(1), "10.0.0.2:80 1/3");
	ck_assert_str_eq(text_of(2), "10.0.0.3:80 1/2");
	ck_assert_str_eq(text_of(3), "10.0.0.4:80 1/5");
}
END_TEST

/* A locality's part is divided among its endpoints. */
START_TEST(weights_of_localities)
{
	const char *text = ASSIGNMENT(LOCALITY(
		",\"load_balancing_weight\":3",
		ENDPOINT("10.0.0.1", "80", "") "," ENDPOINT(
			"10.0.0.2", "80",
			"")) "," LOCALITY(",\"load_balancing_weight\":1",
					  ENDPOINT("10.0.0.3", "80",
						   "")) "," LOCALITY("",
								     ENDPOINT("10.0.0.4", "80",
									      "")) "," LOCALITY(",\"priority\":1",
												ENDPOINT(
													"10.0.0.5",
													"80",
													",\"load_"
													"balancing_"
													"weight\":7")));

	ck_assert_int_eq(decode(text), 0);
	ck_assert_uint_eq(found.nr, 5);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1000/0");
	ck_assert_str_eq(text_of(2), "10.0.0.3:80 667/0");
	ck_assert_str_eq(text_of(3), "10.0.0.4:80 0/0");
	ck_assert_str_eq(text_of(4), "10.0.0.5:80 7/1");
	how.locality_weights = false;
	ck_assert_int_eq(decode(text), 0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0");
	ck_assert_str_eq(text_of(3), "10.0.0.4:80 1/0");
}
END_TEST

START_TEST(equal_shares_are_small_numbers)
{
	ck_assert_int_eq(
		decode(ASSIGNMENT(LOCALITY(
			",\"load_balancing_weight\":100",
			ENDPOINT("10.0.0.1", "80", ",\"load_balancing_weight\":128") "," ENDPOINT(
				"10.0.0.2", "80",
				",\"load_balancing_weight\":128")) "," LOCALITY(",\"load_balancing_weight\":100",
										ENDPOINT("10.0.0.3", "80", "")))),
		0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0");
	ck_assert_str_eq(text_of(1), "10.0.0.2:80 1/0");
	ck_assert_str_eq(text_of(2), "10.0.0.3:80 2/0");
}
END_TEST

/* Two of four are ill: 1.4 x 50 % of the part stays, for the other two. */
START_TEST(an_ill_locality_has_less)
{
	ck_assert_int_eq(
		decode(ASSIGNMENT(LOCALITY(
			",\"load_balancing_weight\":1",
			ENDPOINT("10.0.0.1", "80", "") "," ENDPOINT("10.0.0.2", "80", "") "," ENDPOINT(
				"10.0.0.3", "80",
				",\"health_status\":2") "," ENDPOINT("10.0.0.4", "80",
								     ",\"health_status\":2")) "," LOCALITY(",\"load_"
													   "balancing_"
													   "weight\":1",
													   ENDPOINT(
														   "10."
														   "0."
														   "0."
														   "5",
														   "80",
														   "")))),
		0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 7/0");
	ck_assert_str_eq(text_of(4), "10.0.0.5:80 20/0");
}
END_TEST

START_TEST(large_weights_are_scaled)
{
	ck_assert_int_eq(
		decode(ONE(ENDPOINT("10.0.0.1", "80", ",\"load_balancing_weight\":4000") "," ENDPOINT(
			"10.0.0.2", "80", ",\"load_balancing_weight\":1000") "," ENDPOINT("10.0.0.3", "80", ""))),
		0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1000/0");
	ck_assert_str_eq(text_of(1), "10.0.0.2:80 250/0");
	ck_assert_str_eq(text_of(2), "10.0.0.3:80 1/0");
	ck_assert_int_eq(decode(ONE(ENDPOINT("10.0.0.1", "80", ",\"load_balancing_weight\":4294967295"))), 0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0");
}
END_TEST

static const char *const odd_ones[] = {
	"7",
	"null",
	"[]",
	"{}",
	"{\"endpoint\":7}",
	"{\"endpoint\":{\"address\":{\"pipe\":{\"path\":\"/run/x\"}}}}",
	"{\"endpoint\":{\"address\":{\"envoy_internal_address\":{\"server_listener_name\":\"x\"}}}}",
	"{\"endpoint_name\":\"nowhere\"}",
	ENDPOINT("10.0.0.9", "0", ""),
	ENDPOINT("10.0.0.9", "65536", ""),
	ENDPOINT("10.0.0.9", "1.5", ""),
	ENDPOINT("10.0.0.9", "-1", ""),
	ENDPOINT("10.0.0.9", "1e300", ""),
	ENDPOINT("10.0.0.9", "\"http\"", ""),
	ENDPOINT("10.0.0.9", "\"\"", ""),
	ENDPOINT("", "80", ""),
	ENDPOINT("a b", "80", ""),
	ENDPOINT("0.0.0.0", "80", ""),
	ENDPOINT("::", "80", ""),
	ENDPOINT("224.0.0.1", "80", ""),
	ENDPOINT("255.255.255.255", "80", ""),
	ENDPOINT("fe80::1", "80", ""),
	ENDPOINT("ff02::1", "80", ""),
	ENDPOINT("10.0.0.9", "80", ",\"load_balancing_weight\":-1"),
	ENDPOINT("10.0.0.9", "80", ",\"load_balancing_weight\":\"x\""),
	ENDPOINT("10.0.0.9", "80", ",\"health_status\":\"SICK\""),
	ENDPOINT("10.0.0.9", "80", ",\"health_status\":6"),
	"{\"endpoint\":{\"address\":{\"socket_address\":{\"address\":\"10.0.0.9\",\"named_port\":\"http\"}}}}",
};

START_TEST(odd_ones_are_left_out)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"endpoints\":[{\"lb_endpoints\":[%s,%s]}]}", odd_ones[_i],
		 ENDPOINT("10.0.0.1", "80", ""));
	ck_assert_int_eq(decode(text), 0);
	ck_assert_uint_eq(found.nr, 1);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0");
	ck_assert_uint_ge(odd.nr, 1);
	snprintf(text, sizeof(text), "{\"endpoints\":[{\"lb_endpoints\":[%s]}]}", odd_ones[_i]);
	ck_assert_int_eq(decode(text), -EBADMSG);
	ck_assert_uint_eq(found.nr, 0);
}
END_TEST

START_TEST(odd_localities_are_left_out)
{
	ck_assert_int_eq(decode(ASSIGNMENT("7,null,[],{\"priority\":129},{\"priority\":\"x\"},{\"lb_endpoints\":{}},"
					   "{\"load_balancing_weight\":-1},{\"locality\":7}," LOCALITY(
						   "", ENDPOINT("10.0.0.1", "80", "")))),
			 0);
	ck_assert_uint_eq(found.nr, 1);
	ck_assert_uint_eq(odd.nr, 7);
	ck_assert_int_eq(decode("{\"endpoints\":7}"), -EBADMSG);
	ck_assert_int_eq(decode("[]"), -EBADMSG);
}
END_TEST

START_TEST(other_forms)
{
	/* Nothing is an answer, too. */
	ck_assert_int_eq(decode("{\"cluster_name\":\"web\"}"), 0);
	ck_assert_uint_eq(found.nr, 0);
	ck_assert_int_eq(
		decode("{\"namedEndpoints\":{\"a\":{\"address\":{\"socketAddress\":{\"address\":\"fd00::1\","
		       "\"portValue\":80}}}},\"endpoints\":[{\"lbEndpoints\":[{\"endpointName\":\"a\"}]},"
		       "{\"loadBalancerEndpoints\":{\"lbEndpoints\":[{\"endpoint\":{\"address\":{\"socketAddress\":"
		       "{\"address\":\"web.example.com\",\"portValue\":81}}}}]}}]}"),
		0);
	ck_assert_str_eq(text_of(0), "[fd00::1]:80 1/0");
	ck_assert_str_eq(text_of(1), "web.example.com:81 1/0");
	ck_assert_int_eq(decode("{\"policy\":{\"drop_overloads\":[{\"category\":\"x\"}]}}"), 0);
	ck_assert_uint_eq(odd.nr, 1);
	ck_assert_int_eq(decode(ASSIGNMENT(LOCALITY(",\"locality\":{\"region\":\"eu\",\"zone\":\"\"}",
						    ENDPOINT("10.0.0.1", "80", "")))),
			 0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0 eu");
	ck_assert_int_eq(
		decode(ASSIGNMENT(LOCALITY(",\"locality\":{\"zone\":\"a b\"}", ENDPOINT("10.0.0.1", "80", "")))), 0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0");
}
END_TEST

/* ---- YAML ---- */

START_TEST(yaml_is_the_same)
{
	ck_assert_int_eq(
		decode("# a comment\n"
		       "cluster_name: web\n"
		       "endpoints:\n"
		       "- locality: &here { region: eu, zone: 'eu-1' }\n"
		       "  lb_endpoints:\n"
		       "  - endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } }\n"
		       "    metadata: { filter_metadata: { envoy.lb: { canary: true, version: \"1\", n: 010 } } }\n"
		       "    health_status: DRAINING\n"
		       "- locality: *here\n"
		       "  priority: 1\n"
		       "  lb_endpoints:\n"
		       "  - { endpoint: { address: { socket_address: { address: \"fd00::1\", port_value: \"81\" } } },"
		       " load_balancing_weight: 5 }\n"),
		0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:80 1/0 eu-1 !");
	ck_assert_str_eq(found_label(&found.at[0], "canary"), "true");
	ck_assert_str_eq(found_label(&found.at[0], "version"), "1");
	ck_assert_str_eq(found_label(&found.at[0], "n"), "010");
	ck_assert_str_eq(text_of(1), "[fd00::1]:81 5/1 eu-1");
	ck_assert_int_eq(decode("{ endpoints: [], } # in flow style"), 0);
}
END_TEST

static const char *const no_yaml[] = {
	"",
	"   \n",
	"# nothing\n",
	"a: [1, 2",
	"{\"a\": ",
	"{\"a\": \"b",
	"a: b: c",
	"? [1]\n: 2\n",
	"a: &x [*x]\n",
	"\"a\\0b\": c",
	"a: \"b\\0c\"",
	"\t- x",
	"a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
	"d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\n"
	"g: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g]\n",
};

START_TEST(what_is_no_yaml)
{
	root = envoy_parse(no_yaml[_i], strlen(no_yaml[_i]), why, sizeof(why));
	ck_assert_ptr_null(root);
	ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(what_may_be_half_a_file)
{
	ck_assert(envoy_may_be_half("resources:\n", 11));
	ck_assert(envoy_may_be_half("", 0));
	ck_assert(!envoy_may_be_half("\n {\"a", 5));
}
END_TEST

/* ---- answers and questions ---- */

START_TEST(answers)
{
	struct envoy_answer a;
	const char *type = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
	char text[512];

	snprintf(text, sizeof(text), "{\"version_info\":\"7\",\"nonce\":\"n\",\"type_url\":\"%s\",\"resources\":[]}",
		 type);
	ck_assert_int_eq(envoy_answer(given(text), "ClusterLoadAssignment", &a, why, sizeof(why)), 0);
	ck_assert_str_eq(a.version, "7");
	ck_assert_str_eq(a.nonce, "n");
	ck_assert_int_eq(envoy_answer(given(text), "Cluster", &a, why, sizeof(why)), -EBADMSG);
	/* Nothing there is nothing said. */
	ck_assert_int_eq(envoy_answer(given("{\"versionInfo\":\"7\"}"), "Cluster", &a, why, sizeof(why)), 0);
	ck_assert_ptr_null(a.resources);
	ck_assert_int_eq(envoy_answer(given("{\"resources\":[{\"name\":\"a\"}]}"), "Cluster", &a, why, sizeof(why)), 0);
	ck_assert_int_eq(envoy_answer(given("{}"), "Cluster", &a, why, sizeof(why)), -EBADMSG);
	ck_assert_int_eq(envoy_answer(given("[]"), "Cluster", &a, why, sizeof(why)), -EBADMSG);
	ck_assert_int_eq(envoy_answer(given("{\"resources\":{}}"), "Cluster", &a, why, sizeof(why)), -EBADMSG);
	ck_assert_int_eq(envoy_answer(given("{\"error\":\"x\"}"), "Cluster", &a, why, sizeof(why)), -EBADMSG);
}
END_TEST

START_TEST(resources)
{
	const char *wrapped =
		"{\"@type\":\"type.googleapis.com/envoy.service.discovery.v3.Resource\",\"name\":\"a\","
		"\"version\":\"1\",\"resource\":{\"@type\":\"x/envoy.config.cluster.v3.Cluster\",\"name\":\"a\"}}";

	ck_assert_str_eq(envoy_cluster_name(envoy_resource(given(wrapped), "Cluster")), "a");
	ck_assert_ptr_null(envoy_resource(given(wrapped), "ClusterLoadAssignment"));
	ck_assert_ptr_nonnull(envoy_resource(given("{\"@type\":\"t/envoy.api.v2.Cluster\"}"), "Cluster"));
	ck_assert_ptr_nonnull(envoy_resource(given("{\"name\":\"a\"}"), "Cluster"));
	ck_assert_ptr_null(envoy_resource(given("[7]"), "Cluster"));
}
END_TEST

START_TEST(questions)
{
	const char *names[] = { "a", "b" };
	struct envoy_ask a = { .message = "ClusterLoadAssignment",
			       .version = "7",
			       .nonce = "n",
			       .node = "me",
			       .names = names,
			       .nr_names = 2 };
	_cleanup_(freep) char *text = envoy_question(&a), *again = NULL;

	ck_assert_str_eq(text, "{\"type_url\":\"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\","
			       "\"resource_names\":[\"a\",\"b\"],\"version_info\":\"7\",\"response_nonce\":\"n\","
			       "\"node\":{\"id\":\"me\",\"cluster\":\"\"}}");
	a = (struct envoy_ask){ .message = "Cluster", .version = "", .nonce = "", .error = "no" };
	again = envoy_question(&a);
	ck_assert_str_eq(again,
			 "{\"type_url\":\"type.googleapis.com/envoy.config.cluster.v3.Cluster\",\"resource_names\":[],"
			 "\"error_detail\":{\"code\":3,\"message\":\"no\"}}");
}
END_TEST

/* ---- clusters ---- */

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
	Suite *s = suite_create("envoy_decode");
	TCase *t = tcase_create("decode");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_assignment);
	tcase_add_loop_test(t, health_and_weights, 0, UNIT_NR(health));
	tcase_add_test(t, degraded_ones_come_last);
	tcase_add_test(t, weights_of_localities);
	tcase_add_test(t, equal_shares_are_small_numbers);
	tcase_add_test(t, an_ill_locality_has_less);
	tcase_add_test(t, large_weights_are_scaled);
	tcase_add_loop_test(t, odd_ones_are_left_out, 0, UNIT_NR(odd_ones));
	tcase_add_test(t, odd_localities_are_left_out);
	tcase_add_test(t, other_forms);
	tcase_add_test(t, yaml_is_the_same);
	tcase_add_loop_test(t, what_is_no_yaml, 0, UNIT_NR(no_yaml));
	tcase_add_test(t, what_may_be_half_a_file);
	tcase_add_test(t, answers);
	tcase_add_test(t, resources);
	tcase_add_test(t, questions);
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
