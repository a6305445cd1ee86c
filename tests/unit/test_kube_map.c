/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From Services and EndpointSlices to services and endpoints of ours. */
#include <errno.h>
#include <netinet/in.h>

#include "kube.h"

static struct kube_view view;
static struct kube_service *service;
static struct kube_slice *first, **last; /* the list */
static char text[16384];

static void setup(void)
{
	*kube_said = '\0';
	view = (struct kube_view){ .place = { "n1", "za" },
				   .addresses = KUBE_CLUSTER_IP | KUBE_EXTERNAL_IP | KUBE_LOAD_BALANCER,
				   .odd = kube_odd };
	service = NULL;
	first = NULL;
	last = &first;
}

static void teardown(void)
{
	struct kube_slice *next;

	kube_service_free(service);
	for (struct kube_slice *s = first; s; s = next) {
		next = s->next;
		kube_slice_free(s);
	}
}

static void given_service_named(const char *namespace, const char *name, const char *annotations, const char *spec)
{
	char o[8192];

	kube_service_free(service);
	snprintf(o, sizeof(o),
		 "{'metadata':{'namespace':'%s','name':'%s','resourceVersion':'1','annotations':{%s}},'spec':{%s}}",
		 namespace, name, annotations, spec);
	service = kube_service_of(o);
}

static void given_service(const char *spec)
{
	given_service_named("shop", "cart", "", spec);
}

static void given_slice(const char *family, const char *ports, const char *endpoints)
{
	static unsigned nr;
	char o[8192];

	snprintf(o, sizeof(o),
		 "{'metadata':{'namespace':'shop','name':'cart-%u','resourceVersion':'1','labels':{'kubernetes.io/"
		 "service-name':"
		 "'cart'}},'addressType':'%s','ports':[%s],'endpoints':[%s]}",
		 nr++, family, ports, endpoints);
	*last = kube_slice_of(o, view.place.node, view.place.zone);
	last = &(*last)->next;
}

static void put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void put(const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
}

static void put_endpoint(const struct endpoint *e)
{
	char at[ADDR_TEXT_LEN];

	put(" %s%s", addr_port_format(&e->addr, e->port, at, sizeof(at)), e->unready ? "-" : "");
	if (e->priority)
		put("/%u", e->priority);
}

/* All services as "name tcp FRONTEND,... = ENDPOINT[-][/PRIORITY] ..." lines. */
static const char *mapped(void)
{
	struct kube_mapped m = { 0 };
	char at[ADDR_TEXT_LEN];

	*text = '\0';
	ck_assert_int_eq(kube_map(service, first, &view, &m), 0);
	for (size_t i = 0; i < m.nr; i++) {
		const struct service *s = m.at[i];

		put("%s %s ", s->name, proto_name(s->proto));
		for (size_t k = 0; k < s->nr_frontends; k++)
			put("%s%s", k ? "," : "",
			    addr_port_format(&s->frontends[k].addr, s->frontends[k].port, at, sizeof(at)));
		put(" =");
		for (size_t k = 0; k < s->nr_endpoints; k++)
			put_endpoint(&s->endpoints[k]);
		put("\n");
	}
	kube_mapped_done(&m);
	return text;
}

static const char *found(const char *port, int want)
{
	struct found f = { 0 };

	*text = '\0';
	ck_assert_int_eq(kube_find(service, first, port, &view, &f), want);
	for (size_t i = 0; i < f.nr; i++)
		put_endpoint(&f.at[i].endpoint);
	found_done(&f);
	return text;
}

#define ONE_PORT "'clusterIP':'10.96.0.1','clusterIPs':['10.96.0.1'],'ports':[{'port':80}]"
#define HTTP	 "{'name':'','port':8080,'protocol':'TCP'}"
#define IP(a)	 "{'addresses':['" a "']}"

START_TEST(one_port_is_one_service)
{
	given_service(ONE_PORT);
	given_slice("IPv4", HTTP, IP("10.1.0.2") "," IP("10.1.0.1"));
	given_slice("IPv6", HTTP, IP("fd00::1"));
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080\n");
}
END_TEST

START_TEST(ports_and_families_have_names)
{
	given_service("'clusterIPs':['10.96.0.1','fd00:96::1'],'externalIPs':['192.0.2.1'],"
		      "'ports':[{'name':'http','port':80},{'name':'dns','port':53,'protocol':'UDP'},{'name':'s','port':"
		      "9,'protocol':'SCTP'}]");
	given_slice("IPv4", "{'name':'http','port':8080},{'name':'dns','port':5353,'protocol':'UDP'}", IP("10.1.0.1"));
	given_slice("IPv4", "{'name':'http','port':9090},{'name':'dns','port':5353,'protocol':'TCP'}", IP("10.1.0.2"));
	given_slice("IPv6", "{'name':'http','port':8080}", IP("fd00::1"));
	ck_assert_str_eq(mapped(), "shop/cart:http tcp 10.96.0.1:80,192.0.2.1:80 = 10.1.0.1:8080 10.1.0.2:9090\n"
				   "shop/cart:dns udp 10.96.0.1:53,192.0.2.1:53 = 10.1.0.1:5353\n"
				   "shop/cart:http:v6 tcp [fd00:96::1]:80 = [fd00::1]:8080\n"
				   "shop/cart:dns:v6 udp [fd00:96::1]:53 =\n");
}
END_TEST

START_TEST(the_first_family_has_the_plain_name)
{
	given_service("'clusterIPs':['fd00:96::1','10.96.0.1'],'ports':[{'port':80,'name':'http'}]");
	ck_assert_str_eq(mapped(), "shop/cart tcp [fd00:96::1]:80 =\nshop/cart:v4 tcp 10.96.0.1:80 =\n");
}
END_TEST

START_TEST(addresses_are_chosen)
{
	view.addresses = KUBE_CLUSTER_IP;
	given_service(ONE_PORT ",'externalIPs':['192.0.2.1']");
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 =\n");
	view.addresses = KUBE_EXTERNAL_IP;
	ck_assert_str_eq(mapped(), "shop/cart tcp 192.0.2.1:80 =\n");
	view.addresses = KUBE_LOAD_BALANCER;
	ck_assert_str_eq(mapped(), "");
}
END_TEST

START_TEST(long_names_are_cut)
{
	char namespace[64], name[64], want[256];
	struct kube_mapped m = { 0 };

	memset(namespace, 'n', 63);
	memset(name, 's', 63);
	namespace[63] = name[63] = '\0';
	given_service_named(namespace, name, "",
			    "'clusterIPs':['10.96.0.1'],'ports':[{'port':80,'name':'one'},{'port':81,'name':'two'}]");
	ck_assert_int_eq(kube_map(service, NULL, &view, &m), 0);
	ck_assert_uint_eq(m.nr, 2);
	snprintf(want, sizeof(want), "%s/%.54s~", namespace, name);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(strlen(m.at[i]->name), WEFT_NAME_LEN - 1);
		ck_assert(!strncmp(m.at[i]->name, want, strlen(want)));
	}
	ck_assert_str_ne(m.at[0]->name, m.at[1]->name);
	kube_mapped_done(&m);
}
END_TEST

/* What there is nothing to serve of. */
static const struct {
	const char *annotations, *spec;
} unserved[] = {
	{ "", "'clusterIP':'None','ports':[{'port':80}]" },
	{ "", "'type':'ExternalName','externalName':'x','ports':[{'port':80}]" },
	{ "'weft.io/ignore':'true'", ONE_PORT },
	{ "", "'clusterIP':'10.96.0.1'" },
	{ "", "'clusterIP':'10.96.0.1','ports':[{'port':80,'protocol':'SCTP'}]" },
};

START_TEST(some_are_not_served)
{
	given_service_named("shop", "cart", unserved[_i].annotations, unserved[_i].spec);
	ck_assert_str_eq(mapped(), "");
}
END_TEST

START_TEST(services_are_chosen)
{
	view.serve = KUBE_SERVE_ANNOTATED;
	given_service(ONE_PORT);
	ck_assert_str_eq(mapped(), "");
	given_service_named("shop", "cart", "'weft.io/serve':'true'", ONE_PORT);
	ck_assert_str_ne(mapped(), "");
	view.serve = KUBE_SERVE_NONE;
	ck_assert_str_eq(mapped(), "");
	ck_assert_str_eq(found(NULL, 0), "");
}
END_TEST

START_TEST(another_proxy_s_services_are_left_to_it)
{
	static const char *const proxies[] = { "cilium", "weft" };

	for (int i = 0; i < 2; i++) {
		char o[1024];

		kube_service_free(service);
		snprintf(o, sizeof(o),
			 "{'metadata':{'namespace':'a','name':'b','labels':{'service.kubernetes.io/"
			 "service-proxy-name':'%s'}},"
			 "'spec':{" ONE_PORT "}}",
			 proxies[i]);
		service = kube_service_of(o);
		ck_assert_uint_eq(*mapped() != '\0', i);
	}
}
END_TEST

/* One endpoint for each text of conditions, 10.1.0.1 and so on. */
static void given_conditions(const char *const *conditions, size_t nr)
{
	char o[2048] = "";

	for (size_t i = 0; i < nr; i++)
		snprintf(o + strlen(o), sizeof(o) - strlen(o), "%s{'addresses':['10.1.0.%zu'],'conditions':{%s}}",
			 i ? "," : "", i + 1, conditions[i]);
	given_slice("IPv4", HTTP, o);
}

START_TEST(conditions_say_who_takes_connections)
{
	static const char *const conditions[] = {
		"'ready':true",
		"'ready':false",
		"'ready':false,'serving':true,'terminating':true",
		"'ready':false,'serving':false,'terminating':true",
		"'ready':true,'terminating':true",
		"'ready':null",
	};

	given_service(ONE_PORT);
	given_conditions(conditions, 6);
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080- 10.1.0.3:8080- "
				   "10.1.0.4:8080- 10.1.0.5:8080- 10.1.0.6:8080\n");
	given_service(ONE_PORT ",'publishNotReadyAddresses':true");
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080 10.1.0.3:8080 "
				   "10.1.0.4:8080 10.1.0.5:8080 10.1.0.6:8080\n");
}
END_TEST

START_TEST(the_last_ones_serve_on_their_way_out)
{
	static const char *const conditions[] = {
		"'ready':false",
		"'ready':false,'serving':true,'terminating':true",
		"'ready':false,'serving':false,'terminating':true",
	};

	given_service(ONE_PORT);
	given_conditions(conditions, 3);
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080- 10.1.0.2:8080 10.1.0.3:8080-\n");
}
END_TEST

START_TEST(an_endpoint_in_two_slices_is_one)
{
	given_service(ONE_PORT);
	given_slice("IPv4", HTTP, "{'addresses':['10.1.0.1'],'conditions':{'ready':false}}," IP("10.1.0.2"));
	given_slice("IPv4", HTTP, IP("10.1.0.1") "," IP("10.1.0.2"));
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080\n");
}
END_TEST

#define HINT(a, kind, name) "{'addresses':['" a "'],'hints':{'" kind "':[{'name':'" name "'}]}}"

START_TEST(hints_of_zones)
{
	given_service(ONE_PORT);
	given_slice("IPv4", HTTP, HINT("10.1.0.1", "forZones", "za") "," HINT("10.1.0.2", "forZones", "zb"));
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080/1\n");
	given_slice("IPv4", HTTP, "{'addresses':['10.1.0.9'],'conditions':{'ready':false}}"); /* does not count */
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080/1 10.1.0.9:8080-/1\n");
	given_slice("IPv4", HTTP, IP("10.1.0.3")); /* one without hints: none hold */
	ck_assert_str_eq(mapped(),
			 "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080 10.1.0.3:8080 10.1.0.9:8080-\n");
}
END_TEST

START_TEST(hints_for_others_do_not_hold)
{
	given_service(ONE_PORT);
	given_slice("IPv4", HTTP, HINT("10.1.0.1", "forZones", "zc") "," HINT("10.1.0.2", "forZones", "zb"));
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080\n");
}
END_TEST

START_TEST(a_zone_that_is_not_known_has_no_hints)
{
	view.place.zone = NULL;
	given_service(ONE_PORT);
	given_slice("IPv4", HTTP, HINT("10.1.0.1", "forZones", "za") "," HINT("10.1.0.2", "forZones", "zb"));
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080\n");
}
END_TEST

START_TEST(hints_of_nodes)
{
	given_service(ONE_PORT);
	given_slice("IPv4", HTTP,
		    "{'addresses':['10.1.0.1'],'hints':{'forZones':[{'name':'za'}],'forNodes':[{'name':'n1'}]}},"
		    "{'addresses':['10.1.0.2'],'hints':{'forZones':[{'name':'za'}],'forNodes':[{'name':'n2'}]}},"
		    "{'addresses':['10.1.0.3'],'hints':{'forZones':[{'name':'zb'}],'forNodes':[{'name':'n3'}]}}");
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080 10.1.0.2:8080/1 10.1.0.3:8080/2\n");
}
END_TEST

START_TEST(local_is_this_node)
{
	given_service(ONE_PORT ",'externalIPs':['192.0.2.1'],'internalTrafficPolicy':'Local'");
	given_slice("IPv4", HTTP,
		    "{'addresses':['10.1.0.1'],'nodeName':'n1'},{'addresses':['10.1.0.2'],'nodeName':'n2'}," IP(
			    "10.1.0.3"));
	ck_assert_str_eq(mapped(), "shop/cart tcp 10.96.0.1:80 = 10.1.0.1:8080\n");
	ck_assert_str_eq(kube_said, "");
	view.place.node = NULL;
	ck_assert_str_eq(mapped(), "");
	ck_assert(strstr(kube_said, "which one this is is not known"));
}
END_TEST

START_TEST(settings_come_through)
{
	struct kube_mapped m = { 0 };

	given_service_named(
		"shop", "cart",
		"'weft.io/balance':'round-robin','weft.io/connect-timeout':'1s','weft.io/drain-timeout':'5m',"
		"'weft.io/slow-start':'30s','weft.io/max-connections':'10','weft.io/ejection':'off'",
		"'clusterIP':'10.96.0.1','sessionAffinity':'ClientIP','ports':[{'port':80,'name':'a'},"
		"{'port':53,'name':'b','protocol':'UDP'}]");
	ck_assert_int_eq(kube_map(service, NULL, &view, &m), 0);
	ck_assert_uint_eq(m.nr, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct service *s = m.at[i];

		ck_assert_uint_eq(s->lb, WEFT_LB_ROUND_ROBIN);
		ck_assert_uint_eq(s->drain_ms, 300000);
		ck_assert_uint_eq(s->slow_start_ms, 30000);
		ck_assert_uint_eq(s->limits.connections, 10);
		ck_assert(!s->ejection.on);
		ck_assert_uint_eq(s->connect_timeout_ms, i ? 0 : 1000);
		ck_assert(s->failover == !i);
		ck_assert_uint_eq(s->affinity, WEFT_CLIENT_ADDRESS);
		ck_assert_uint_eq(s->affinity_ms, 10800000);
	}
	kube_mapped_done(&m);
}
END_TEST

START_TEST(a_new_service_has_the_defaults)
{
	struct kube_mapped m = { 0 };
	struct service *want = service_new("shop/cart");

	given_service(ONE_PORT);
	ck_assert_int_eq(kube_map(service, NULL, &view, &m), 0);
	service_add_frontend(want, &m.at[0]->frontends[0]);
	ck_assert(service_equal(m.at[0], want));
	service_unref(want);
	kube_mapped_done(&m);
}
END_TEST

/* ---- lookups ---- */

START_TEST(lookups_are_answered)
{
	given_service("'clusterIP':'None','ports':[{'name':'http','port':80},{'name':'grpc','port':81}]");
	given_slice("IPv4", "{'name':'http','port':8080},{'name':'grpc','port':9090}",
		    IP("10.1.0.2") "," IP("10.1.0.1"));
	given_slice("IPv6", "{'name':'http','port':8080}", IP("fd00::1"));
	ck_assert_str_eq(found("http", 0), " 10.1.0.1:8080 10.1.0.2:8080 [fd00::1]:8080");
	ck_assert_str_eq(found("grpc", 0), " 10.1.0.1:9090 10.1.0.2:9090");
	ck_assert_str_eq(found(NULL, 0), " 10.1.0.1:8080 10.1.0.2:8080 [fd00::1]:8080");
	ck_assert_str_eq(found("tftp", -ENOENT), "");
}
END_TEST

START_TEST(lookups_without_a_service)
{
	ck_assert_str_eq(found(NULL, 0), "");
	ck_assert_str_eq(found("http", 0), "");
	given_slice("IPv4", "{'name':'http','port':8080}", IP("10.1.0.1"));
	ck_assert_str_eq(found("http", 0), " 10.1.0.1:8080");
	ck_assert_str_eq(found(NULL, 0), " 10.1.0.1:8080");
}
END_TEST

START_TEST(endpoints_that_are_found_have_labels)
{
	struct found f = { 0 };

	given_service(ONE_PORT);
	given_slice(
		"IPv4", HTTP,
		"{'addresses':['10.1.0.1'],'nodeName':'n7','zone':'zb','targetRef':{'name':'cart-5'}}," IP("10.1.0.2"));
	ck_assert_int_eq(kube_find(service, first, NULL, &view, &f), 0);
	ck_assert_uint_eq(f.nr, 2);
	ck_assert_str_eq(f.at[0].name, "cart-5");
	ck_assert_str_eq(found_label(&f.at[0], "pod"), "cart-5");
	ck_assert_str_eq(found_label(&f.at[0], "node"), "n7");
	ck_assert_str_eq(found_label(&f.at[0], "zone"), "zb");
	ck_assert_str_eq(f.at[0].endpoint.zone, "zb");
	ck_assert_uint_eq(f.at[1].nr_labels, 0);
	found_done(&f);
}
END_TEST

static Suite *kube_suite(void)
{
	Suite *s = suite_create("kubernetes, mapped");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_port_is_one_service);
	tcase_add_test(t, ports_and_families_have_names);
	tcase_add_test(t, the_first_family_has_the_plain_name);
	tcase_add_test(t, addresses_are_chosen);
	tcase_add_test(t, long_names_are_cut);
	tcase_add_loop_test(t, some_are_not_served, 0, UNIT_NR(unserved));
	tcase_add_test(t, services_are_chosen);
	tcase_add_test(t, another_proxy_s_services_are_left_to_it);
	tcase_add_test(t, conditions_say_who_takes_connections);
	tcase_add_test(t, the_last_ones_serve_on_their_way_out);
	tcase_add_test(t, an_endpoint_in_two_slices_is_one);
	tcase_add_test(t, hints_of_zones);
	tcase_add_test(t, hints_for_others_do_not_hold);
	tcase_add_test(t, a_zone_that_is_not_known_has_no_hints);
	tcase_add_test(t, hints_of_nodes);
	tcase_add_test(t, local_is_this_node);
	tcase_add_test(t, settings_come_through);
	tcase_add_test(t, a_new_service_has_the_defaults);
	tcase_add_test(t, lookups_are_answered);
	tcase_add_test(t, lookups_without_a_service);
	tcase_add_test(t, endpoints_that_are_found_have_labels);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(kube_suite());
}
