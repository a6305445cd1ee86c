/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is said of discovery: the lines of `weft discover --watch`, the JSON of registries, and the API's errors. */
#include "agent/api.h"
#include "agent/registries.h"
#include "cli/discover.h"
#include "paper.h"

static char *said;
static size_t said_len;
static FILE *to;
static struct out out;
static struct discover watch;

static void setup_lines(void)
{
	setup();
	to = open_memstream(&said, &said_len);
	out = (struct out){ .to = to };
	watch = (struct discover){ .discovery = d, .out = &out, .watch = true };
}

static void teardown_lines(void)
{
	discover_done(&watch);
	fclose(to);
	free(said);
	teardown();
}

/* What was printed since the last call. */
static const char *lines(void)
{
	static char text[4096];
	static size_t seen;

	watch.written = config->model;
	if (!watch.nr_said)
		seen = 0;
	discover_look(&watch);
	fflush(to);
	snprintf(text, sizeof(text), "%s", said + seen);
	seen = said_len;
	return text;
}

#define LINE(state, endpoints)                                                                                         \
	"{\"service\":\"web\",\"source\":0,\"registry\":\"zk\",\"type\":\"etcd\",\"state\":\"" state                   \
	"\",\"endpoints\":[" endpoints "]"
#define ONE "{\"address\":\"10.0.0.1:80\",\"weight\":1,\"priority\":0,\"ready\":true}"

START_TEST(each_change_is_a_line)
{
	configure(REGISTRY WEB);
	ck_assert_str_eq(lines(), LINE("waiting", "") "}\n");
	ck_assert_str_eq(lines(), "");
	FOUND(lookups[0], "10.0.0.1");
	ck_assert_str_eq(lines(), LINE("ok", ONE) "}\n");
	FOUND(lookups[0], "10.0.0.1");
	ck_assert_str_eq(lines(), "");
	lookup_failed(lookups[0], "it is on fire");
	ck_assert_str_eq(lines(), LINE("failing", ONE) ",\"error\":\"it is on fire\"}\n");
	FOUND(lookups[0], "10.0.0.1");
	ck_assert_str_eq(lines(), LINE("ok", ONE) "}\n");
	found(lookups[0], NULL);
	ck_assert_str_eq(lines(), LINE("held", ONE) "}\n");
}
END_TEST

START_TEST(a_line_has_all_that_is_said)
{
	const struct label label = { "az", "a" };
	struct found f = { 0 };

	configure(REGISTRY WEB);
	ck_assert_int_eq(found_add(&f, &(struct found_args){ .host = "web-1.example",
							     .port = 8080,
							     .weight = &(uint32_t){ 7 },
							     .priority = 1,
							     .unready = true,
							     .zone = "eu-1a",
							     .name = "web-1",
							     .id = "42",
							     .labels = &label,
							     .nr_labels = 1 }),
			 0);
	lookup_found(lookups[0], &f);
	ck_assert_str_eq(lines(), LINE("ok", "{\"address\":\"web-1.example:8080\",\"weight\":7,\"priority\":1,"
					     "\"ready\":false,\"zone\":\"eu-1a\",\"name\":\"web-1\",\"id\":\"42\","
					     "\"labels\":{\"az\":\"a\"}}") "}\n");
}
END_TEST

START_TEST(services_that_were_not_asked_for_are_not_told)
{
	static const char *const words[] = { "other" };

	configure(REGISTRY WEB);
	watch.words = words;
	watch.nr_words = 1;
	FOUND(lookups[0], "10.0.0.1");
	ck_assert_str_eq(lines(), "");
}
END_TEST

START_TEST(whole_services_come_and_go)
{
	struct service *s = service_new("cart");
	struct frontend f = { .port = 80 };
	struct endpoint e = { .port = 8080, .weight = 1 };

	ck_assert_int_eq(addr_parse("10.96.0.1", &f.addr) | addr_parse("10.0.0.1", &e.addr), 0);
	configure("registries: [{name: whole, type: etcd, servers: [a]}]\n");
	ck_assert_int_eq(service_add_frontend(s, &f) | service_add_endpoint(s, &e), 0);
	registry_put(&papers[0]->r, s);
	ck_assert_str_eq(lines(), "{\"service\":\"cart\",\"registry\":\"whole\",\"addresses\":[\"10.96.0.1:80\"],"
				  "\"endpoints\":[{\"address\":\"10.0.0.1:8080\",\"weight\":1,\"priority\":0,"
				  "\"ready\":true}]}\n");
	registry_drop(&papers[0]->r, "cart");
	ck_assert_str_eq(lines(), "{\"service\":\"cart\",\"gone\":true}\n");
	ck_assert_str_eq(lines(), "");
	service_unref(s);
}
END_TEST

/* ---- the agent ---- */

static const char *text_of(json_t *j)
{
	static char text[4096];
	char *dumped = json_dumps(j, JSON_COMPACT);

	ck_assert_ptr_nonnull(dumped);
	snprintf(text, sizeof(text), "%s", dumped);
	free(dumped);
	json_decref(j);
	return text;
}

START_TEST(registries_are_told_with_their_sources)
{
	struct agent a = { 0 };
	json_t *j;

	ck_assert_str_eq(text_of(registries_json(&a)), "{\"registries\":[],\"sources\":[],\"register\":[]}");
	a.discovery = d;
	configure(REGISTRY WEB);
	j = registries_json(&a);
	ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(j, "sources"), 0), "age_seconds")));
	json_decref(j);
	/* A server may send anything as the reason of its failure. */
	lookup_failed(lookups[0], "it says \xff\xfe");
	j = registries_json(&a);
	ck_assert_str_eq(text_of(json_incref(json_object_get(j, "sources"))),
			 "[{\"service\":\"web\",\"source\":0,\"registry\":\"zk\",\"type\":\"etcd\",\"state\":"
			 "\"failing\",\"error\":\"it says ??\",\"endpoints\":0,\"age_seconds\":null}]");
	json_decref(j);
	FOUND(lookups[0], "10.0.0.1");
	j = registries_json(&a);
	ck_assert_int_eq(
		json_integer_value(json_object_get(json_array_get(json_object_get(j, "registries"), 0), "answers")), 1);
	json_decref(j);
}
END_TEST

START_TEST(metrics_have_a_copy_of_each)
{
	struct agent a = { .discovery = d };
	struct metrics_registry *registries;
	struct metrics_source *sources;
	size_t nr, nr_sources;

	configure(REGISTRY "services: [{name: web, address: 1.1.1.1:80, discover: [{registry: zk, prefix: /a}, "
			   "{registry: zk, prefix: /b}, {registry: zk, prefix: /c}]}]\n");
	FOUND(lookups[1], "10.0.0.1", "10.0.0.2");
	registries_metrics(&a, &registries, &nr, &sources, &nr_sources);
	ck_assert_uint_eq(nr, 1);
	ck_assert(registries[0].up && registries[0].heard >= 0);
	ck_assert_uint_eq(nr_sources, 3);
	ck_assert(!sources[0].up && sources[1].up && !sources[2].up);
	ck_assert_uint_eq(sources[1].endpoints, 2);
	ck_assert_str_eq(sources[2].source, "2");
	free(registries);
	free(sources);
}
END_TEST

START_TEST(what_is_not_there_is_said_in_json)
{
	struct model none = { 0 };
	struct agent a = { 0 };
	unsigned code;

	ck_assert(api_has("/v1") && api_has("/v1/x") && !api_has("/v12") && !api_has("/v") && !api_has("/metrics"));
	ck_assert_str_eq(text_of(api_get(&a, "/v1/services", &code)), "{\"error\":\"what runs is not known: \"}");
	ck_assert_uint_eq(code, 503);
	a.model = &none;
	ck_assert_str_eq(text_of(api_get(&a, "/v1/services", &code)), "[]");
	ck_assert_uint_eq(code, 200);
	ck_assert_str_eq(text_of(api_get(&a, "/v1/services/a/b", &code)),
			 "{\"error\":\"there is no service \\\"a/b\\\"\"}");
	ck_assert_uint_eq(code, 404);
	ck_assert_str_eq(text_of(api_get(&a, "/v1/services/a/hosts", &code)),
			 "{\"error\":\"there is no service \\\"a\\\"\"}");
	ck_assert_str_eq(text_of(api_get(&a, "/v1/services/\xff", &code)),
			 "{\"error\":\"there is no service \\\"?\\\"\"}");
	json_decref(api_get(&a, "/v1/servicesx", &code));
	ck_assert_uint_eq(code, 404);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("discover");
	TCase *c = tcase_create("lines");

	tcase_add_checked_fixture(c, setup_lines, teardown_lines);
	tcase_add_test(c, each_change_is_a_line);
	tcase_add_test(c, a_line_has_all_that_is_said);
	tcase_add_test(c, services_that_were_not_asked_for_are_not_told);
	tcase_add_test(c, whole_services_come_and_go);
	suite_add_tcase(s, c);
	c = suite_paper(s);
	tcase_add_test(c, registries_are_told_with_their_sources);
	tcase_add_test(c, metrics_have_a_copy_of_each);
	tcase_add_test(c, what_is_not_there_is_said_in_json);
	return unit_run(s);
}
