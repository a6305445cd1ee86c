/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a control plane for Envoy says, as endpoints. */
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
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(suite());
}
