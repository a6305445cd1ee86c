/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What Consul answers as endpoints; how it is asked and told. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/http.h"
#include "model/service.h"
#include "registry/consul_decode.h"
#include "registry/consul_text.h"
#include "unit.h"

static struct found found;
static unsigned odd;
static char why[128];
static struct consul_reading how;

static void setup(void)
{
	how = (struct consul_reading){ .health = CONSUL_PASSING, .zone_key = "zone" };
	odd = 0;
	*why = '\0';
}

static void teardown(void)
{
	found_done(&found);
}

static int decode(const char *text)
{
	found_done(&found);
	return consul_decode(text, strlen(text), &how, &found, &odd, why, sizeof(why));
}

/* "10.0.0.1:80 weight zone !" with "!" for unready; a host's name in the place of an address. */
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
	snprintf(text, sizeof(text), "%s %u%s%s%s", address, e->endpoint.weight, e->endpoint.zone ? " " : "",
		 e->endpoint.zone ? e->endpoint.zone : "", e->endpoint.unready ? " !" : "");
	return text;
}

/* One instance with a node of address 10.0.0.1; @service and @more are pieces of JSON. */
static int decode_one(const char *service, const char *more)
{
	char text[4096];

	snprintf(text, sizeof(text), "[{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":80%s}%s}]", service,
		 more);
	return decode(text);
}

/* As a server of version 1.17 sends it. */
static const char recorded[] =
	"[{\"Node\":{\"ID\":\"40e4a748-2192-161a-0510-9bf59fe950b5\",\"Node\":\"foobar\",\"Address\":\"10.1.10.12\","
	"\"Datacenter\":\"dc1\",\"TaggedAddresses\":{\"lan\":\"10.1.10.12\",\"wan\":\"10.1.10.12\"},"
	"\"Meta\":{\"instance_type\":\"t2.medium\"},\"CreateIndex\":13,\"ModifyIndex\":14},"
	"\"Service\":{\"ID\":\"redis\",\"Service\":\"redis\",\"Tags\":[\"primary\",\"color=blue\"],\"Address\":\"10.1."
	"10.13\","
	"\"TaggedAddresses\":{\"lan\":{\"address\":\"10.1.10.12\",\"port\":8000}},\"Meta\":{\"redis_version\":\"4.0\"},"
	"\"Port\":8000,\"Weights\":{\"Passing\":10,\"Warning\":1},\"EnableTagOverride\":false,"
	"\"Proxy\":{\"Mode\":\"\",\"MeshGateway\":{},\"Expose\":{}},\"Connect\":{},\"PeerName\":\"\",\"CreateIndex\":"
	"22,"
	"\"ModifyIndex\":22},\"Checks\":[{\"Node\":\"foobar\",\"CheckID\":\"service:redis\",\"Name\":\"redis check\","
	"\"Status\":\"passing\",\"Notes\":\"\",\"Output\":\"\",\"ServiceID\":\"redis\",\"ServiceName\":\"redis\","
	"\"ServiceTags\":[\"primary\"],\"Type\":\"ttl\",\"Interval\":\"\",\"Timeout\":\"\",\"ExposedPort\":0,"
	"\"Definition\":{},"
	"\"CreateIndex\":22,\"ModifyIndex\":22},{\"Node\":\"foobar\",\"CheckID\":\"serfHealth\",\"Status\":\"passing\"}"
	"]}]";

START_TEST(a_recorded_answer)
{
	ck_assert_int_eq(decode(recorded), 0);
	ck_assert_uint_eq(found.nr, 1);
	ck_assert_str_eq(text_of(0), "10.1.10.13:8000 10 dc1");
	ck_assert_str_eq(found.at[0].name, "redis");
	ck_assert_str_eq(found_label(&found.at[0], "redis_version"), "4.0");
	ck_assert_str_eq(found_label(&found.at[0], "primary"), "");
	ck_assert_str_eq(found_label(&found.at[0], "color"), "blue");
	ck_assert_uint_eq(found.at[0].nr_labels, 3);
	ck_assert_uint_eq(odd, 0);
}
END_TEST

START_TEST(nothing_is_an_answer)
{
	ck_assert_int_eq(decode("[]"), 0);
	ck_assert_uint_eq(found.nr, 0);
}
END_TEST

static const struct {
	const char *service, *more, *is;
} instances[] = {
	{ "", "", "10.0.0.1:80 1" },
	{ ",\"Address\":\"\"", "", "10.0.0.1:80 1" },
	{ ",\"Address\":null", "", "10.0.0.1:80 1" },
	{ ",\"Address\":\"fd00::1\"", "", "[fd00::1]:80 1" },
	{ ",\"Address\":\"web.internal\"", "", "web.internal:80 1" },
	{ ",\"Weights\":{\"Passing\":7,\"Warning\":2}", "", "10.0.0.1:80 7" },
	{ ",\"Weights\":{\"Passing\":0}", "", "10.0.0.1:80 0" },
	{ ",\"Weights\":{}", "", "10.0.0.1:80 1" },
	{ ",\"Weights\":null,\"Tags\":null,\"Meta\":null", ",\"Checks\":null", "10.0.0.1:80 1" },
	{ ",\"Port\":8080", "", "10.0.0.1:8080 1" },
	{ ",\"Locality\":{\"Region\":\"r\",\"Zone\":\"r-1\"}", "", "10.0.0.1:80 1 r-1" },
	{ ",\"Meta\":{\"zone\":\"a\"},\"Locality\":{\"Zone\":\"b\"}", "", "10.0.0.1:80 1 a" },
	{ "", ",\"Node\":{\"Address\":\"10.0.0.2\",\"Datacenter\":\"dc\"}", "10.0.0.2:80 1 dc" },
	{ "", ",\"Node\":{\"Address\":\"10.0.0.2\",\"Datacenter\":\"dc\",\"Locality\":{\"Zone\":\"c\"}}",
	  "10.0.0.2:80 1 c" },
	{ "", ",\"Node\":{\"Address\":\"10.0.0.2\",\"Meta\":{\"zone\":\"d\"},\"Locality\":{\"Zone\":\"c\"}}",
	  "10.0.0.2:80 1 d" },
};

START_TEST(one_instance)
{
	ck_assert_int_eq(decode_one(instances[_i].service, instances[_i].more), 0);
	ck_assert_uint_eq(found.nr, 1);
	ck_assert_str_eq(text_of(0), instances[_i].is);
	ck_assert_uint_eq(odd, 0);
}
END_TEST

#define CHECK(status)  "{\"CheckID\":\"a\",\"Status\":\"" status "\"}"
#define WEIGHTS	       ",\"Weights\":{\"Passing\":5,\"Warning\":2}"
#define CHECKS(checks) ",\"Checks\":[" checks "]"

/* NULL: left out. */
static const struct {
	const char *checks, *passing, *warning, *any;
} healths[] = {
	{ CHECKS(""), "5", "5", "5" },
	{ CHECKS(CHECK("passing")), "5", "5", "5" },
	{ CHECKS(CHECK("warning")), NULL, "2", "2" },
	{ CHECKS(CHECK("critical")), NULL, NULL, "5 !" },
	{ CHECKS(CHECK("passing") "," CHECK("warning")), NULL, "2", "2" },
	{ CHECKS(CHECK("critical") "," CHECK("warning") "," CHECK("passing")), NULL, NULL, "5 !" },
	{ CHECKS(CHECK("unheard of")), NULL, NULL, "5 !" },
	{ CHECKS("{}"), NULL, NULL, "5 !" },
	{ CHECKS("3"), NULL, NULL, "5 !" },
	{ CHECKS("{\"CheckID\":\"_node_maintenance\",\"Status\":\"critical\"}"), NULL, NULL, "5 !" },
	{ CHECKS("{\"CheckID\":\"_service_maintenance:web\",\"Status\":\"passing\"}"), NULL, NULL, "5 !" },
};

START_TEST(health_decides)
{
	const char *wanted[] = { healths[_i].passing, healths[_i].warning, healths[_i].any };
	char text[64];

	for (unsigned h = 0; h < 3; h++) {
		how.health = h;
		ck_assert_int_eq(decode_one(WEIGHTS, healths[_i].checks), 0);
		ck_assert_uint_eq(found.nr, wanted[h] != NULL);
		if (!wanted[h])
			continue;
		snprintf(text, sizeof(text), "10.0.0.1:80 %s", wanted[h]);
		ck_assert_str_eq(text_of(0), text);
	}
}
END_TEST

START_TEST(services_without_a_port)
{
	ck_assert_int_eq(decode_one(",\"Port\":0", ""), -EBADMSG);
	ck_assert_str_eq(why, "none of its 1 instances has a usable address and port");
	how.port = 9000;
	ck_assert_int_eq(decode_one(",\"Port\":0", ""), 0);
	ck_assert_str_eq(text_of(0), "10.0.0.1:9000 1");
}
END_TEST

static const char *const odd_ones[] = {
	"7",
	"null",
	"\"text\"",
	"[]",
	"{}",
	"{\"Node\":3,\"Service\":{}}",
	"{\"Node\":{},\"Service\":{\"Port\":80}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":\"80\"}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":-1}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":80.5}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":65536}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":100000000000000000000000}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":80,\"Weights\":{\"Passing\":-1}}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":80,\"Weights\":{\"Passing\":\"1\"}}}",
	"{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":80},\"Checks\":{}}",
	"{\"Node\":{\"Address\":\"not an address\"},\"Service\":{\"Port\":80}}",
	"{\"Node\":{\"Address\":\"0.0.0.0\"},\"Service\":{\"Port\":80}}",
	"{\"Node\":{\"Address\":[\"10.0.0.1\"]},\"Service\":{\"Port\":80}}",
};

START_TEST(odd_instances_are_passed_over)
{
	char text[1024];

	snprintf(text, sizeof(text), "[%s,{\"Node\":{\"Address\":\"10.0.0.2\"},\"Service\":{\"Port\":81}}]",
		 odd_ones[_i]);
	ck_assert_int_eq(decode(text), 0);
	ck_assert_uint_eq(found.nr, 1);
	ck_assert_str_eq(text_of(0), "10.0.0.2:81 1");
	ck_assert_uint_eq(odd, 1);
	snprintf(text, sizeof(text), "[%s]", odd_ones[_i]);
	ck_assert_int_eq(decode(text), -EBADMSG);
	ck_assert_uint_eq(found.nr, 0);
}
END_TEST

static const char *const garbage[] = { "",  "nonsense", "<html>", "{}",		  "null",      "3",
				       "[", "[{}",	"[] []",  "{\"Node\":1}", "[\"\xff\"]" };

START_TEST(garbage_is_no_answer)
{
	ck_assert_int_eq(decode(garbage[_i]), -EBADMSG);
	ck_assert_uint_eq(found.nr, 0);
	ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(odd_labels_are_passed_over)
{
	ck_assert_int_eq(
		decode_one(
			",\"Meta\":{\"a\":\"1\",\"b\":2,\"\":\"x\"},\"Tags\":[\"t\",3,\"\",\"=x\",\"k=v=w\",\"a=2\"]",
			""),
		0);
	ck_assert_uint_eq(odd, 4);
	ck_assert_str_eq(found_label(&found.at[0], "a"), "1");
	ck_assert_str_eq(found_label(&found.at[0], "=x"), "");
	ck_assert_str_eq(found_label(&found.at[0], "k"), "v=w");
	ck_assert_int_eq(decode_one(",\"Meta\":3,\"Tags\":{\"a\":1},\"Locality\":7", ""), 0);
	ck_assert_uint_eq(found.at[0].nr_labels, 0);
}
END_TEST

START_TEST(not_more_labels_than_fit)
{
	char text[8192] = ",\"Tags\":[\"x\"";

	for (int i = 0; i < 300; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ",\"t%d=%d\"", i, i);
	strncat(text, "]", 2);
	ck_assert_uint_lt(strlen(text), 3900);
	ck_assert_int_eq(decode_one(text, ""), 0);
	ck_assert_uint_eq(found.at[0].nr_labels, 256);
	ck_assert_uint_eq(odd, 301 - 256);
}
END_TEST

/* ---- what is asked ---- */

static void check_path(const struct consul_query *q, const char *wanted)
{
	_cleanup_(freep) char *path = consul_query_path(q);

	ck_assert_str_eq(path, wanted);
}

START_TEST(questions)
{
	char *tags[] = { "v 1", "a&b", NULL };
	struct consul_query q = { .service = "web" };

	check_path(&q, "/v1/health/service/web");
	q.service = "a/b";
	q.passing = true;
	check_path(&q, "/v1/health/service/a%2Fb?passing=true");
	q.tags = tags;
	q.index = UINT64_C(18000000000000000000);
	q.wait_ms = 1500;
	check_path(&q,
		   "/v1/health/service/a%2Fb?passing=true&tag=v%201&tag=a%26b&index=18000000000000000000&wait=1500ms");
	q = (struct consul_query){ .service = "web",
				   .expression = "Service.Meta.v == \"1\"",
				   .scope = { .datacenter = "dc2",
					      .namespace = "n",
					      .partition = "p",
					      .near = "_agent",
					      .consistency = "stale" } };
	check_path(&q, "/v1/health/service/"
		       "web?dc=dc2&filter=Service.Meta.v%20%3D%3D%20%221%22&near=_agent&ns=n&partition=p&stale");
	q = (struct consul_query){ .service = "web", .scope = { .consistency = "default" } };
	check_path(&q, "/v1/health/service/web");
	q.scope.consistency = "consistent";
	check_path(&q, "/v1/health/service/web?consistent");
}
END_TEST

START_TEST(agent_paths)
{
	_cleanup_(freep) char *path = consul_agent_path("/v1/agent/check/update/", "service:a/1",
							&(struct consul_scope){ .namespace = "n" });

	ck_assert_str_eq(path, "/v1/agent/check/update/service%3Aa%2F1?ns=n");
}
END_TEST

START_TEST(indexes)
{
	ck_assert_uint_eq(consul_index_parse("42"), 42);
	ck_assert_uint_eq(consul_index_parse(NULL), 0);
	ck_assert_uint_eq(consul_index_parse(""), 0);
	ck_assert_uint_eq(consul_index_parse("-1"), 0);
	ck_assert_uint_eq(consul_index_parse("4x"), 0);
	ck_assert_uint_eq(consul_index_parse("99999999999999999999"), 0);
	ck_assert_uint_eq(consul_index_next(0, 42), 42);
	ck_assert_uint_eq(consul_index_next(42, 42), 42);
	ck_assert_uint_eq(consul_index_next(42, 43), 43);
	ck_assert_uint_eq(consul_index_next(42, 41), 0);
	ck_assert_uint_eq(consul_index_next(42, 0), 1);
	ck_assert_uint_eq(consul_index_next(0, 0), 1);
}
END_TEST

static const struct {
	const char *written, *is;
} servers[] = {
	{ "127.0.0.1:8500", "http://127.0.0.1:8500" },
	{ "http://127.0.0.1:8500", "http://127.0.0.1:8500" },
	{ "https://consul.mesh:8501/", "https://consul.mesh:8501" },
	{ "https://[fd00::1]:8501", "https://[fd00::1]:8501" },
	{ "http://proxy/consul/", "http://proxy/consul" },
	{ "", NULL },
	{ "unix:///run/consul.sock", NULL },
	{ "http://", NULL },
	{ "http:///", NULL },
	{ "http://user@host", NULL },
	{ "a b", NULL },
	{ "http://h?x", NULL },
};

START_TEST(servers_as_written)
{
	_cleanup_(freep) char *url = NULL;

	ck_assert_int_eq(http_server_parse(servers[_i].written, &url), servers[_i].is ? 0 : -EINVAL);
	if (servers[_i].is)
		ck_assert_str_eq(url, servers[_i].is);
}
END_TEST

/* ---- what is told ---- */

static const struct label labels[] = { { "az", "a" }, { "version", "1 \"2\"" } };

static void check_entry(const struct consul_entry *e, const char *wanted)
{
	_cleanup_(freep) char *body = consul_entry_body(e);

	ck_assert_str_eq(body, wanted);
}

START_TEST(entries)
{
	char *tags[] = { "t1", "t2", NULL };
	struct consul_entry e = { .name = "web",
				  .id = "web-1",
				  .address = "10.0.0.1",
				  .zone = "z",
				  .port = 80,
				  .weight = 3,
				  .tags = tags,
				  .labels = labels,
				  .nr_labels = 2,
				  .ttl_ms = 30000,
				  .gone_ms = 60000,
				  .up = true };

	check_entry(
		&e,
		"{\"ID\":\"web-1\",\"Name\":\"web\",\"Address\":\"10.0.0.1\",\"Port\":80,\"Tags\":[\"t1\",\"t2\"],"
		"\"Meta\":{\"zone\":\"z\",\"az\":\"a\",\"version\":\"1 \\\"2\\\"\"},"
		"\"Weights\":{\"Passing\":3,\"Warning\":1},\"Check\":{\"CheckID\":\"service:web-1\",\"Name\":\"weft\","
		"\"TTL\":\"30000ms\",\"Status\":\"passing\",\"DeregisterCriticalServiceAfter\":\"60000ms\"}}");
	e = (struct consul_entry){
		.name = "web", .id = "w", .address = "fd00::1", .port = 1, .up = true, .ttl_ms = 1000
	};
	check_entry(&e,
		    "{\"ID\":\"w\",\"Name\":\"web\",\"Address\":\"fd00::1\",\"Port\":1,\"Tags\":[],\"Meta\":{},"
		    "\"Weights\":{\"Passing\":1,\"Warning\":1},\"Check\":{\"CheckID\":\"service:w\",\"Name\":\"weft\","
		    "\"TTL\":\"1000ms\",\"Status\":\"critical\"}}");
}
END_TEST

static const struct {
	bool up;
	uint16_t weight;
	const char *body;
} states[] = {
	{ true, 1, "{\"Status\":\"passing\",\"Output\":\"weft: its checks pass\"}" },
	{ false, 1, "{\"Status\":\"critical\",\"Output\":\"weft: its checks fail\"}" },
	{ true, 0, "{\"Status\":\"critical\",\"Output\":\"weft: its weight is 0\"}" },
};

START_TEST(updates)
{
	struct consul_entry e = { .up = states[_i].up, .weight = states[_i].weight };
	_cleanup_(freep) char *body = consul_status_body(&e);

	ck_assert_str_eq(body, states[_i].body);
}
END_TEST

START_TEST(reasons)
{
	char text[256], small[8];

	consul_reason("Permission denied\nmore", text, sizeof(text));
	ck_assert_str_eq(text, "Permission denied");
	consul_reason("\x1b[31m", text, sizeof(text));
	ck_assert_str_eq(text, "");
	consul_reason("a long sentence", small, sizeof(small));
	ck_assert_str_eq(small, "a long ");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("consul_decode");
	TCase *decoding = tcase_create("answers"), *texts = tcase_create("texts");

	tcase_add_checked_fixture(decoding, setup, teardown);
	tcase_add_test(decoding, a_recorded_answer);
	tcase_add_test(decoding, nothing_is_an_answer);
	tcase_add_loop_test(decoding, one_instance, 0, UNIT_NR(instances));
	tcase_add_loop_test(decoding, health_decides, 0, UNIT_NR(healths));
	tcase_add_test(decoding, services_without_a_port);
	tcase_add_loop_test(decoding, odd_instances_are_passed_over, 0, UNIT_NR(odd_ones));
	tcase_add_loop_test(decoding, garbage_is_no_answer, 0, UNIT_NR(garbage));
	tcase_add_test(decoding, odd_labels_are_passed_over);
	tcase_add_test(decoding, not_more_labels_than_fit);
	suite_add_tcase(suite, decoding);
	tcase_add_test(texts, questions);
	tcase_add_test(texts, agent_paths);
	tcase_add_test(texts, indexes);
	tcase_add_loop_test(texts, servers_as_written, 0, UNIT_NR(servers));
	tcase_add_test(texts, entries);
	tcase_add_loop_test(texts, updates, 0, UNIT_NR(states));
	tcase_add_test(texts, reasons);
	suite_add_tcase(suite, texts);
	return unit_run(suite);
}
