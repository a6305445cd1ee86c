/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What nodes in ZooKeeper say by their names and contents, as Nerve and Finagle write them; the table of children. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/zookeeper_children.h"
#include "unit.h"

static const struct {
	const char *name;
	bool has;
	int64_t number;
} sequences[] = {
	{ "i-1_0000000003", true, 3 },
	{ "0000000000", true, 0 },
	{ "i_2147483647", true, 2147483647 },
	{ "i_-2147483648", true, -2147483648LL },
	{ "i_2147483648", false, 0 },
	{ "i_-000000002", true, -2 },
	{ "i_000000003", false, 0 },
	{ "i-1_", false, 0 },
	{ "", false, 0 },
};

START_TEST(numbers_of_sequential_nodes)
{
	int64_t n = 0;
	bool has = zk_sequence(sequences[_i].name, &n);

	ck_assert_int_eq(has, sequences[_i].has);
	if (has)
		ck_assert_int_eq(n, sequences[_i].number);
}
END_TEST

START_TEST(names_hold_instances)
{
	static const char json[] = "{\"host\":\"10.0.0.1\",\"port\":80,\"name\":\"~?>~?>\"}";
	_cleanup_(freep) char *name = NULL, *full = NULL, *back = NULL;
	size_t len = 0;

	ck_assert_int_eq(zk_name_for(json, &name), 0);
	ck_assert_ptr_null(strpbrk(name, "+/")); /* a path could not hold them */
	ck_assert(asprintf(&full, "%s0000000007", name) > 0);
	back = zk_name_holds(full, &len);
	ck_assert_str_eq(back, json);
	ck_assert_uint_eq(len, strlen(json));
}
END_TEST

static const char *const no_instances[] = {
	"i-1_0000000003",  "base64_",	     "base64_4",
	"base64_4_",	   "base64_4_Zm9",   "base64_4_Zm9v", /* nothing behind it */
	"base64_3_Zm9v_",				      /* another length */
	"base64_5_Zm9v_",  "base64_0__",     "base64_04_Zm9v_",
	"base64_-4_Zm9v_", "base64_4_Zm9!_", "base64_99999999999999999999_Zm9v_",
};

START_TEST(names_that_hold_nothing)
{
	size_t len;

	ck_assert_ptr_null(zk_name_holds(no_instances[_i], &len));
}
END_TEST

START_TEST(a_name_that_gets_too_long_is_not_made)
{
	_cleanup_(freep) char *long_text = malloc(60001), *name = NULL;

	memset(long_text, 'x', 60000);
	long_text[60000] = '\0';
	ck_assert_int_eq(zk_name_for(long_text, &name), -E2BIG);
	long_text[49152] = '\0'; /* 65536 characters, just so */
	ck_assert_int_eq(zk_name_for(long_text, &name), 0);
}
END_TEST

static const struct {
	enum zk_decode decode;
	const char *endpoint, *name, *text;
	const char *says; /* "address:port weight ready name id"; NULL: nothing that can be used */
} children[] = {
	{ ZK_NERVE, NULL, "a_0000000003", "{\"host\":\"10.0.0.1\",\"port\":80,\"name\":\"a\"}", "10.0.0.1:80 1 1 a 3" },
	{ ZK_NERVE, NULL, "a", "{\"host\":\"10.0.0.1\",\"port\":80,\"weight\":9}", "10.0.0.1:80 9 1 - -" },
	{ ZK_NERVE, NULL, "a", "", NULL },
	{ ZK_NERVE, NULL, "a", "[]", NULL },
	{ ZK_NERVE, NULL, "a", "{\"host\":\"10.0.0.1\"}", NULL },
	/* {"host":"10.0.0.9","port":1} */
	{ ZK_NERVE, NULL, "base64_40_eyJob3N0IjoiMTAuMC4wLjkiLCJwb3J0IjoxfQ==_0000000001", "ignored",
	  "10.0.0.9:1 1 1 - 1" },
	{ ZK_SERVERSET, NULL, "member_0000000002",
	  "{\"serviceEndpoint\":{\"host\":\"10.0.0.1\",\"port\":80},\"additionalEndpoints\":{},\"status\":\"ALIVE\","
	  "\"shard\":4}",
	  "10.0.0.1:80 1 1 4 2" },
	{ ZK_SERVERSET, "http", "m",
	  "{\"serviceEndpoint\":{\"host\":\"10.0.0.1\",\"port\":80},\"additionalEndpoints\":{\"http\":{\"host\":\"10.0."
	  "0.2\","
	  "\"port\":81}}}",
	  "10.0.0.2:81 1 1 - -" },
	{ ZK_SERVERSET, "thrift", "m",
	  "{\"serviceEndpoint\":{\"host\":\"10.0.0.1\",\"port\":80},\"additionalEndpoints\":{}}", NULL },
	{ ZK_SERVERSET, NULL, "m", "{\"serviceEndpoint\":{\"host\":\"10.0.0.1\",\"port\":80},\"status\":\"DEAD\"}",
	  "10.0.0.1:80 1 0 - -" },
	{ ZK_SERVERSET, NULL, "m", "{\"serviceEndpoint\":{\"host\":\"10.0.0.1\",\"port\":\"80\"}}", NULL },
	{ ZK_SERVERSET, NULL, "m", "{\"serviceEndpoint\":[]}", NULL },
	{ ZK_SERVERSET, NULL, "m", "no json", NULL },
};

START_TEST(what_children_say)
{
	const struct zk_how how = { children[_i].decode, children[_i].endpoint };
	const char *text = children[_i].text;
	struct found f = { 0 };
	char at[ADDR_TEXT_LEN], got[256];
	int r = zk_read_child(&how, children[_i].name, text, strlen(text), &f);

	if (!children[_i].says) {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_uint_eq(f.nr, 0);
	} else {
		ck_assert_int_eq(r, 0);
		snprintf(got, sizeof(got), "%s %u %d %s %s",
			 addr_port_format(&f.at[0].endpoint.addr, f.at[0].endpoint.port, at, sizeof(at)),
			 f.at[0].endpoint.weight, !f.at[0].endpoint.unready, f.at[0].name ? f.at[0].name : "-",
			 f.at[0].id ? f.at[0].id : "-");
		ck_assert_str_eq(got, children[_i].says);
	}
	found_done(&f);
}
END_TEST

static void add(struct found *f, const char *host, const char *id)
{
	ck_assert_int_eq(found_add(f, &(struct found_args){ .host = host, .port = 80, .id = id }), 0);
}

START_TEST(the_leader_has_the_smallest_number)
{
	struct found f = { 0 };

	add(&f, "10.0.0.1", "10");
	add(&f, "10.0.0.2", NULL);
	add(&f, "10.0.0.3", "9");
	zk_keep_leader(&f);
	ck_assert_uint_eq(f.nr, 1);
	ck_assert_str_eq(f.at[0].id, "9");
	zk_keep_leader(&f);
	ck_assert_uint_eq(f.nr, 1);
	found_done(&f);
	add(&f, "10.0.0.1", NULL);
	zk_keep_leader(&f); /* as Synapse: without numbers there is no leader */
	ck_assert_uint_eq(f.nr, 0);
	found_done(&f);
}
END_TEST

START_TEST(own_nodes_are_known)
{
	const struct instance own = { .host = "10.0.0.1", .port = 80, .name = "i" };
	static const char same[] = "{\"host\":\"10.0.0.1\",\"port\":80,\"name\":\"i\",\"weight\":7}",
			  other[] = "{\"host\":\"10.0.0.1\",\"port\":81,\"name\":\"i\"}",
			  bare[] = "{\"host\":\"10.0.0.1\"}";
	_cleanup_(freep) char *name = NULL;

	ck_assert(zk_is_own("i_0000000001", same, strlen(same), &own));
	ck_assert(!zk_is_own("i_0000000001", other, strlen(other), &own));
	ck_assert(!zk_is_own("i_0000000001", bare, strlen(bare), &own));
	ck_assert(!zk_is_own("i_0000000001", "x", 1, &own));
	ck_assert_int_eq(zk_name_for(same, &name), 0);
	ck_assert(zk_is_own(name, other, strlen(other), &own));
}
END_TEST

static const struct {
	const char *text;
	int r;
	uint16_t port;
	bool leader, weights;
} settings[] = {
	{ "", 0, 0, false, true },
	{ "{}", 0, 0, false, true },
	{ "{\"haproxy\":{\"port\":3}}", 0, 0, false, true },
	{ "{\"weft\":{\"port\":81,\"leader-election\":true,\"weights\":false}}", 0, 81, true, false },
	{ "{\"weft\":{\"port\":0}}", -EINVAL, 0, false, true },
	{ "{\"weft\":{\"port\":65536}}", -EINVAL, 0, false, true },
	{ "{\"weft\":{\"port\":\"81\"}}", -EINVAL, 0, false, true },
	{ "{\"weft\":{\"leader-election\":1}}", -EINVAL, 0, false, true },
	{ "{\"weft\":[]}", -EINVAL, 0, false, true },
	{ "[]", -EINVAL, 0, false, true },
	{ "host:port", -EINVAL, 0, false, true },
};

START_TEST(what_the_parent_says)
{
	struct zk_settings s = { .port = 1 };

	ck_assert_int_eq(zk_read_settings(settings[_i].text, strlen(settings[_i].text), &s), settings[_i].r);
	ck_assert_uint_eq(s.port, settings[_i].port);
	ck_assert_int_eq(s.has_leader && s.leader, settings[_i].leader);
	ck_assert_int_eq(!s.has_weights || s.weights, settings[_i].weights);
}
END_TEST

/* ---- the table ---- */

START_TEST(children_come_and_go)
{
	char *first[] = { "c", "a", "base64_40_eyJob3N0IjoiMTAuMC4wLjkiLCJwb3J0IjoxfQ==_1" }, *second[] = { "b", "c" };
	static const char text[] = "{\"host\":\"10.0.0.1\",\"port\":80}";
	const struct zk_how how = { ZK_NERVE, NULL };
	struct zk_children c = { 0 };
	struct found f = { 0 };
	size_t odd;

	ck_assert_int_eq(zk_children_set(&c, first, 3), 0);
	ck_assert_uint_eq(c.nr, 3);
	ck_assert_uint_eq(c.wanted, 2); /* the third says it all */
	ck_assert_int_eq(zk_child_read(&c, zk_children_find(&c, "c"), text, strlen(text)), 0);
	ck_assert_uint_eq(c.wanted, 1);
	ck_assert_int_eq(zk_children_found(&c, &how, &f, &odd), 0);
	ck_assert_uint_eq(f.nr, 2);
	ck_assert_uint_eq(odd, 1); /* not read yet */
	found_done(&f);
	ck_assert_int_eq(zk_children_set(&c, second, 2), 0);
	ck_assert_ptr_null(zk_children_find(&c, "a"));
	ck_assert_int_eq(zk_children_find(&c, "c")->state, ZK_CHILD_KNOWN);
	ck_assert_str_eq(zk_children_next_wanted(&c)->name, "b");
	ck_assert_int_eq(zk_children_set(&c, NULL, 0), 0);
	ck_assert_uint_eq(c.nr + c.wanted, 0);
	ck_assert_ptr_null(zk_children_next_wanted(&c));
	zk_children_done(&c);
}
END_TEST

START_TEST(what_changes_while_it_is_read_is_read_again)
{
	char *names[] = { "a", "b" };
	struct zk_children c = { 0 };
	struct zk_child *a;

	ck_assert_int_eq(zk_children_set(&c, names, 2), 0);
	a = zk_children_find(&c, "a");
	zk_child_state(&c, a, ZK_CHILD_READING);
	ck_assert_str_eq(zk_children_next_wanted(&c)->name, "b");
	zk_child_want(&c, a);
	ck_assert_int_eq(a->state, ZK_CHILD_READING);
	ck_assert_int_eq(zk_child_read(&c, a, "x", 1), 0);
	ck_assert_int_eq(a->state, ZK_CHILD_WANTED);
	ck_assert_int_eq(zk_child_read(&c, a, "y", 1), 0);
	ck_assert_int_eq(a->state, ZK_CHILD_KNOWN);
	ck_assert_str_eq(a->text, "y");
	zk_child_state(&c, a, ZK_CHILD_READING);
	zk_children_lost(&c);
	ck_assert_int_eq(a->state, ZK_CHILD_WANTED);
	ck_assert_uint_eq(c.wanted, 2);
	zk_children_done(&c);
}
END_TEST

static Suite *zookeeper_suite(void)
{
	Suite *s = suite_create("zookeeper");
	TCase *t = tcase_create("decode");

	tcase_add_loop_test(t, numbers_of_sequential_nodes, 0, UNIT_NR(sequences));
	tcase_add_test(t, names_hold_instances);
	tcase_add_loop_test(t, names_that_hold_nothing, 0, UNIT_NR(no_instances));
	tcase_add_test(t, a_name_that_gets_too_long_is_not_made);
	tcase_add_loop_test(t, what_children_say, 0, UNIT_NR(children));
	tcase_add_test(t, the_leader_has_the_smallest_number);
	tcase_add_test(t, own_nodes_are_known);
	tcase_add_loop_test(t, what_the_parent_says, 0, UNIT_NR(settings));
	tcase_add_test(t, children_come_and_go);
	tcase_add_test(t, what_changes_while_it_is_read_is_read_again);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(zookeeper_suite());
}
