/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What Eureka answers and is told: instances, changes, their hash; which are endpoints; bodies and paths. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/eureka_read.h"
#include "registry/eureka_text.h"
#include "unit.h"

#define APPS(hash, apps)                                                                                               \
	"{\"applications\":{\"versions__delta\":\"1\",\"apps__hashcode\":\"" hash "\",\"application\":" apps "}}"
#define PORT(n) "\"port\":{\"$\":" n ",\"@enabled\":\"true\"}"
#define WHO(app, id, ip, status)                                                                                       \
	"\"instanceId\":\"" id "\",\"app\":\"" app "\",\"ipAddr\":\"" ip "\",\"hostName\":\"" id                       \
	".host\",\"status\":\"" status "\""

static struct eureka_table table;
static struct eureka_news news;

/* In pieces of @piece bytes. */
static int answer(const char *text, size_t piece, bool delta, struct eureka_table *t)
{
	struct eureka_reader r = { 0 };
	size_t len = strlen(text);
	int error = 0;

	eureka_reader_begin(&r);
	for (size_t at = 0; !error && at < len; at += piece)
		error = eureka_reader_feed(&r, text + at, len - at < piece ? len - at : piece);
	if (!error)
		error = delta ? eureka_reader_delta(&r, t) : eureka_reader_all(&r, t);
	news = r.news;
	eureka_reader_done(&r);
	return error;
}

static void read_all(const char *text)
{
	for (size_t piece = 1; piece < 100; piece += 7) {
		eureka_table_done(&table);
		ck_assert_int_eq(answer(text, piece, false, &table), 0);
	}
	ck_assert_int_eq(answer(text, SIZE_MAX, false, &table), 0);
}

static void read_delta(const char *text)
{
	for (int twice = 0; twice < 2; twice++) /* servers say the same for minutes */
		ck_assert_int_eq(answer(text, 3, true, &table), 0);
}

/* "10.0.0.1:80 ..." in order; "-" before those that are not ready. */
static const char *found_by(const struct eureka_filter *filter)
{
	static char text[512];
	struct found f = { 0 };
	char at[ADDR_TEXT_LEN];
	size_t len = 0, odd;

	ck_assert_int_eq(eureka_found(&table, filter, &f, &odd), 0);
	*text = '\0';
	for (size_t i = 0; i < f.nr; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s%s", i ? " " : "", f.at[i].endpoint.unready ? "-" : "",
			f.at[i].host ? f.at[i].host
				     : addr_port_format(&f.at[i].endpoint.addr, f.at[i].endpoint.port, at, sizeof(at)));
	if (odd)
		snprintf(text + len, sizeof(text) - len, " odd %zu", odd);
	found_done(&f);
	return text;
}

#define BY_APP(name) found_by(&(struct eureka_filter){ .app = name })

START_TEST(instances_become_endpoints)
{
	read_all(APPS(
		"DOWN_1_OUT_OF_SERVICE_1_UP_3_",
		"[{\"name\":\"WEB\",\"instance\":[{" WHO("WEB", "b", "10.0.0.2", "UP") "," PORT("81") "},{" WHO("WEB", "a", "10.0.0.1", "UP") "," PORT(
			"80") "},{" WHO("WEB", "c", "10.0.0.3",
					"DOWN") "," PORT("80") "},{" WHO("WEB", "d", "10.0.0.4",
									 "OUT_OF_SERVICE") "," PORT("80") "}]},"
													  "{\"name\":"
													  "\"ADS\","
													  "\"instance\""
													  ":[{" WHO(
														  "ADS",
														  "x",
														  "10."
														  "0.0."
														  "9",
														  "UP") "," PORT("90") "}]}]"));
	ck_assert_uint_eq(table.nr, 5);
	ck_assert_uint_eq(news.instances, 5);
	ck_assert_str_eq(BY_APP("web"), "10.0.0.1:80 10.0.0.2:81 -10.0.0.4:80");
	ck_assert_str_eq(BY_APP("ADS"), "10.0.0.9:90");
	ck_assert_str_eq(BY_APP("none"), "");
	ck_assert_str_eq(BY_APP("we"), "");
}
END_TEST

START_TEST(lists_of_one_need_no_brackets)
{
	read_all(APPS("UP_1_", "{\"name\":\"WEB\",\"instance\":{" WHO(
				       "web", "a", "10.0.0.1", "UP") ",\"port\":{\"$\":\"80\",\"@enabled\":true}}}"));
	ck_assert_str_eq(BY_APP("web"), "10.0.0.1:80");
	read_all("{\"applications\":{\"versions_delta\":1,\"apps_hashcode\":\"X\"}}");
	ck_assert_uint_eq(table.nr, 0);
	ck_assert_str_eq(news.hash, "X");
}
END_TEST

START_TEST(changes_and_their_hash)
{
	char hash[64];

	read_all(APPS("UP_2_", "[{\"name\":\"WEB\",\"instance\":[{" WHO("WEB", "a", "10.0.0.1", "UP") "," PORT(
				       "80") "},{" WHO("WEB", "b", "10.0.0.2", "UP") "," PORT("80") "}]}]"));
	eureka_hash(&table, hash, sizeof(hash));
	ck_assert_str_eq(hash, news.hash);
	read_delta(APPS(
		"DOWN_1_UP_1_",
		"[{\"name\":\"WEB\",\"instance\":[{" WHO(
			"WEB", "a", "10.0.0.1",
			"UP") ",\"actionType\":\"DELETED\"},{" WHO("WEB", "b", "10.0.0.2",
								   "DOWN") "," PORT("80") ",\"actionType\":"
											  "\"MODIFIED\"},"
											  "{" WHO("WEB", "c",
												  "10.0.0."
												  "3",
												  "UP") "," PORT("80") ",\"actionType\":\"ADDED\"}]}]"));
	eureka_hash(&table, hash, sizeof(hash));
	ck_assert_str_eq(hash, "DOWN_1_UP_1_");
	ck_assert_str_eq(hash, news.hash);
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.3:80");
	read_delta(APPS("DOWN_1_UP_1_", "[]"));
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.3:80");
	read_delta(APPS("", "[{\"name\":\"WEB\",\"instance\":[{" WHO("WEB", "nobody", "",
								     "") ",\"actionType\":\"DELETED\"}]}]"));
	ck_assert_uint_eq(table.nr, 2);
	hash[0] = 'x';
	eureka_hash(&table, hash, 8); /* does not fit: cut, and so another */
	ck_assert_str_eq(hash, "DOWN_1_");
}
END_TEST

START_TEST(ports_statuses_and_names)
{
	static char starting[] = "starting", up[] = "UP";
	char *const both[] = { starting, up, NULL };
	const struct eureka_filter vip = { .vip = "web.vip" }, part = { .vip = "web" },
				   secure = { .secure_vip = "s.vip", .secure = true },
				   any = { .app = "web", .statuses = both };

	read_all(APPS(
		"",
		"[{\"name\":\"WEB\",\"instance\":[{" WHO("WEB", "a", "10.0.0.1", "UP") "," PORT(
			"80") ",\"securePort\":{\"$\":443,\"@enabled\":\"true\"},\"vipAddress\":\"x.vip, "
			      "web.vip\",\"secureVipAddress\":"
			      "\"s.vip\"},{" WHO("WEB", "b", "10.0.0.2", "STARTING") "," PORT(
				      "80") ",\"vipAddress\":\"web.vip\"},{" WHO("WEB", "c", "10.0.0.3",
										 "UP") ",\"port\":{\"$\":80,"
										       "\"@enabled\":\"false\"}},"
										       "{" WHO("WEB", "d", "",
											       "UP") "," PORT("80") "}]"
														    "}"
														    "]"));
	ck_assert_str_eq(found_by(&vip), "10.0.0.1:80");
	ck_assert_str_eq(found_by(&part), "");
	ck_assert_str_eq(found_by(&secure), "10.0.0.1:443");
	ck_assert_str_eq(found_by(&any), "10.0.0.1:80 10.0.0.2:80 d.host odd 1");
}
END_TEST

START_TEST(labels_weights_and_zones)
{
	struct found f = { 0 };
	size_t odd;

	read_all(APPS(
		"",
		"[{\"name\":\"WEB\",\"instance\":[{" WHO("WEB", "a", "10.0.0.1", "UP") "," PORT(
			"80") ",\"asgName\":\"g1\",\"metadata\":{\"@class\":\"x\",\"weight\":\"70000\",\"az\":\"a\","
			      "\"zone\":\"z1\",\"n\":3}},{" WHO("WEB", "b", "10.0.0.2",
								"UP") "," PORT("80") ",\"metadata\":{\"weight\":\"x\"},"
										     "\"dataCenterInfo\":{\"metadata\":"
										     "{"
										     "\"availability-zone\":\"us-1\"}}}"
										     "]}]"));
	ck_assert_int_eq(eureka_found(&table, &(struct eureka_filter){ .app = "WEB" }, &f, &odd), 0);
	ck_assert_uint_eq(f.at[0].endpoint.weight, WEFT_WEIGHT_MAX);
	ck_assert_str_eq(f.at[0].endpoint.zone, "z1");
	ck_assert_str_eq(found_label(&f.at[0], "az"), "a");
	ck_assert_str_eq(found_label(&f.at[0], "app"), "WEB");
	ck_assert_str_eq(found_label(&f.at[0], "group"), "g1");
	ck_assert_str_eq(found_label(&f.at[0], "status"), "UP");
	ck_assert_ptr_null(found_label(&f.at[0], "n"));
	ck_assert_uint_eq(f.at[1].endpoint.weight, 1);
	ck_assert_str_eq(f.at[1].endpoint.zone, "us-1");
	found_done(&f);
}
END_TEST

static const char *const no_answers[] = {
	"",
	"{}",
	"[]",
	"]",
	"{\"applications\":[]}",
	"{\"applications\":{}",
	"{\"applications\":{\"application\":[1,2",
	"{\"applications\":{\"application\":[1}}",
	"{\"applications\":{\"application\":{\"name\":\"a",
	"{\"applications\":{\"application\":[]}",
	"{\"applications\":{\"application\":[]}}}",
	"{\"else\":{\"application\":[]}}",
	"<applications/>",
	"null",
};

START_TEST(what_is_no_answer_is_refused)
{
	struct eureka_table t = { 0 };

	ck_assert_int_eq(answer(no_answers[_i], 1, false, &t), -EINVAL);
	ck_assert_int_eq(answer(no_answers[_i], 1, true, &t), -EINVAL);
	eureka_table_done(&t);
}
END_TEST

START_TEST(odd_entries_are_counted)
{
	read_all(APPS("", "[7,null,\"x\",{},{\"name\":3,\"instance\":[1,{},{\"instanceId\":1}]},{\"instance\":[{"
			  "\"instanceId\":\"i\"}]},"
			  "{\"name\":\"WEB\",\"instance\":[{" WHO("WEB", "", "10.0.0.1",
								  "UP") "},{\"hostName\":\"h\",\"ipAddr\":\"10.0.0.2\","
									"\"status\":\"UP\"," PORT("80") "}]}]"));
	ck_assert_uint_eq(news.instances, 6);
	ck_assert_uint_eq(news.odd, 5);
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.2:80");
}
END_TEST

#define ONE(app, id, ip, more) "{\"name\":\"" app "\",\"instance\":[{" WHO(app, id, ip, "UP") "," PORT("80") more "}]}"

START_TEST(what_looks_like_an_end_is_none)
{
	read_all(APPS("", "[ " ONE("WEB", "a\\\"]}", "10.0.0.1",
				   ",\"metadata\":{\"x\":\"],[{\\\\\",\"application\":\"[\"}") " , " ONE("ADS", "b",
													 "10.0.0.2",
													 "") "\n]"));
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.1:80");
	ck_assert_str_eq(BY_APP("ADS"), "10.0.0.2:80");
	read_all("{\"application\":[1],\"applications\":{\"x\":{\"application\":[" ONE(
		"NO", "c", "10.0.0.3", "") "]},\"y\":\"application\",\"application\" : [" ONE("WEB", "d", "10.0.0.4",
											      "") "],\"apps__"
												  "hashcode\":"
												  "\"H\"}}");
	ck_assert_uint_eq(table.nr, 1);
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.4:80");
	ck_assert_str_eq(news.hash, "H");
}
END_TEST

/* One that says what no JSON is hides itself, and not the others. */
START_TEST(an_application_that_is_no_json_is_odd)
{
	read_all(APPS("", "[" ONE("BAD", "a", "10.0.0.1", ",\"x\":") "," ONE("UTF", "a\xff", "10.0.0.1", "") "," ONE(
				  "NUL", "b", "10.0.0.2", ",\"asgName\":\"a\\u0000b\"") "]"));
	ck_assert_uint_eq(news.odd, 2);
	ck_assert_str_eq(BY_APP("BAD"), "");
	ck_assert_str_eq(BY_APP("NUL"), "10.0.0.2:80");
}
END_TEST

START_TEST(the_last_word_on_an_instance_counts)
{
	read_all(APPS("", "[" ONE("WEB", "b", "10.0.0.1", "") "," ONE("WEB", "a", "10.0.0.2", "") "," ONE(
				  "web", "b", "10.0.0.3", ",\"actionType\":\"DELETED\"") "]"));
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.2:80 10.0.0.3:80");
	read_delta(APPS(
		"", "[" ONE("WEB", "a", "10.0.0.2", ",\"actionType\":\"DELETED\"") "," ONE(
			    "WEB", "a", "10.0.0.4",
			    ",\"actionType\":\"ADDED\"") "," ONE("WEB", "b", "10.0.0.3",
								 ",\"actionType\":\"MODIFIED\"") "," ONE("WEB", "b",
													 "10.0.0.3",
													 ",\"action"
													 "Type\":"
													 "\"DELETED"
													 "\"") "]"));
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.4:80");
}
END_TEST

/* A list of changes that ends in the middle changes nothing. */
START_TEST(half_a_list_of_changes_changes_nothing)
{
	static const char half[] = "{\"applications\":{\"application\":[" ONE("WEB", "b", "10.0.0.2", "") ",";

	read_all(APPS("", "[" ONE("WEB", "a", "10.0.0.1", "") "]"));
	ck_assert_int_eq(answer(half, 5, true, &table), -EINVAL);
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.1:80");
	ck_assert_int_eq(answer(half, 5, false, &table), -EINVAL);
	ck_assert_str_eq(BY_APP("WEB"), "10.0.0.1:80");
}
END_TEST

START_TEST(vip_names_follow_changes)
{
	const struct eureka_filter v = { .vip = "v.Vip" }, w = { .vip = "w" }, s = { .secure_vip = "v.vip" };

	read_all(APPS("", "[" ONE("WEB", "a", "10.0.0.1", ",\"vipAddress\":\"v.vip, w ,V.vip,,\"") "," ONE(
				  "ADS", "b", "10.0.0.2", ",\"vipAddress\":\"w,v.vipp\"") "]"));
	ck_assert_str_eq(found_by(&v), "10.0.0.1:80");
	ck_assert_str_eq(found_by(&w), "10.0.0.2:80 10.0.0.1:80");
	ck_assert_str_eq(found_by(&s), "");
	read_delta(APPS(
		"", "[" ONE("WEB", "a", "10.0.0.3", ",\"vipAddress\":\"v.vip\"") "," ONE(
			    "ADS", "0", "10.0.0.4", ",\"vipAddress\":\"V.VIP\",\"secureVipAddress\":\"v.vip\"") "]"));
	ck_assert_str_eq(found_by(&v), "10.0.0.4:80 10.0.0.3:80");
	ck_assert_str_eq(found_by(&w), "10.0.0.2:80");
	ck_assert_str_eq(found_by(&s), "10.0.0.4:80");
}
END_TEST

/* ---- what it is told ---- */

static const struct {
	const char *written, *is;
} servers[] = {
	{ "10.0.0.1:8761", "http://10.0.0.1:8761/eureka/v2" },
	{ "https://eureka.mesh:8761", "https://eureka.mesh:8761/eureka/v2" },
	{ "http://h:8761/eureka/", "http://h:8761/eureka" },
	{ "h:8761/eureka", "http://h:8761/eureka" },
	{ "ftp://h", NULL },
	{ "", NULL },
};

START_TEST(servers_are_urls)
{
	_cleanup_(freep) char *url = NULL;

	ck_assert_int_eq(eureka_server_parse(servers[_i].written, &url), servers[_i].is ? 0 : -EINVAL);
	if (servers[_i].is)
		ck_assert_str_eq(url, servers[_i].is);
}
END_TEST

START_TEST(entries_are_as_netflix_writes_them)
{
	const struct label labels[] = { { "az", "a" } };
	const uint16_t weight = 5;
	const struct eureka_entry e = { .app = "my app",
					.id = "10.0.0.1:my app:80",
					.host = "node",
					.address = "10.0.0.1",
					.zone = "z1",
					.port = 80,
					.weight = &weight,
					.labels = labels,
					.nr_labels = 1,
					.ttl_ms = 3500,
					.up = true,
					.dirty_ms = 1234567890123 };
	_cleanup_(freep) char *body = eureka_entry_body(&e), *app = eureka_app_path(&e),
			      *beat = eureka_heartbeat_path(&e), *all = eureka_apps_path(false, NULL),
			      *delta = eureka_apps_path(true, "eu west");

	ck_assert_str_eq(body,
			 "{\"instance\":{\"instanceId\":\"10.0.0.1:my app:80\",\"hostName\":\"node\",\"app\":\"my "
			 "app\",\"ipAddr\":\"10.0.0.1\","
			 "\"status\":\"UP\",\"overriddenstatus\":\"UNKNOWN\",\"port\":{\"$\":80,\"@enabled\":\"true\"},"
			 "\"securePort\":{\"$\":7002,"
			 "\"@enabled\":\"false\"},\"countryId\":1,\"dataCenterInfo\":{\"@class\":\"com.netflix.appinfo."
			 "InstanceInfo$DefaultDataCenterInfo\","
			 "\"name\":\"MyOwn\"},\"leaseInfo\":{\"renewalIntervalInSecs\":1,\"durationInSecs\":4},"
			 "\"lastDirtyTimestamp\":1234567890123,"
			 "\"metadata\":{\"az\":\"a\",\"weight\":\"5\",\"zone\":\"z1\"},\"vipAddress\":\"my app\"}}");
	ck_assert_str_eq(app, "/apps/my%20app");
	ck_assert_str_eq(beat, "/apps/my%20app/10.0.0.1%3Amy%20app%3A80?status=UP&lastDirtyTimestamp=1234567890123");
	ck_assert_str_eq(all, "/apps");
	ck_assert_str_eq(delta, "/apps/delta?regions=eu%20west");
}
END_TEST

START_TEST(entries_say_when_they_are_down_and_secure)
{
	const struct eureka_entry e = { .app = "a",
					.id = "i",
					.host = "h",
					.address = "::1",
					.vip = "v",
					.secure_vip = "s",
					.port = 443,
					.ttl_ms = 1 };
	_cleanup_(freep) char *body = eureka_entry_body(&e);
	json_t *j = json_loads(body, 0, NULL);
	const json_t *i = json_object_get(j, "instance");

	ck_assert_str_eq(json_string_value(json_object_get(i, "status")), "DOWN");
	ck_assert_str_eq(json_string_value(json_object_get(i, "vipAddress")), "v");
	ck_assert_str_eq(json_string_value(json_object_get(i, "secureVipAddress")), "s");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(i, "securePort"), "$")), 443);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(i, "leaseInfo"), "durationInSecs")), 1);
	json_decref(j);
}
END_TEST

static void clean(void)
{
	eureka_table_done(&table);
}

static Suite *eureka_suite(void)
{
	Suite *s = suite_create("eureka");
	TCase *c = tcase_create("decode");

	tcase_add_checked_fixture(c, NULL, clean);
	tcase_add_test(c, instances_become_endpoints);
	tcase_add_test(c, lists_of_one_need_no_brackets);
	tcase_add_test(c, changes_and_their_hash);
	tcase_add_test(c, ports_statuses_and_names);
	tcase_add_test(c, labels_weights_and_zones);
	tcase_add_loop_test(c, what_is_no_answer_is_refused, 0, UNIT_NR(no_answers));
	tcase_add_test(c, odd_entries_are_counted);
	tcase_add_test(c, what_looks_like_an_end_is_none);
	tcase_add_test(c, an_application_that_is_no_json_is_odd);
	tcase_add_test(c, the_last_word_on_an_instance_counts);
	tcase_add_test(c, half_a_list_of_changes_changes_nothing);
	tcase_add_test(c, vip_names_follow_changes);
	tcase_add_loop_test(c, servers_are_urls, 0, UNIT_NR(servers));
	tcase_add_test(c, entries_are_as_netflix_writes_them);
	tcase_add_test(c, entries_say_when_they_are_down_and_secure);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return unit_run(eureka_suite());
}
