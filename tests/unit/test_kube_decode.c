/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services, EndpointSlices and annotations of Kubernetes, from JSON to values. */
#include <errno.h>
#include <netinet/in.h>

#include "kube.h"

/* ---- Services ---- */

#define META "'metadata':{'namespace':'shop','name':'cart','uid':'u1','resourceVersion':'5'}"

START_TEST(a_service_is_read)
{
	struct kube_service *s = kube_service_of(
		"{" META ",'spec':{'type':'LoadBalancer','clusterIP':'10.96.0.7','clusterIPs':['10.96.0.7','fd00::7'],"
		"'externalIPs':['192.0.2.7','10.96.0.7'],'sessionAffinity':'ClientIP','internalTrafficPolicy':'Local',"
		"'sessionAffinityConfig':{'clientIP':{'timeoutSeconds':600}},'publishNotReadyAddresses':true,"
		"'ports':[{'name':'http','port':80,'protocol':'TCP','targetPort':'web','nodePort':30080},"
		"{'name':'dns','port':53,'protocol':'UDP'},{'name':'sctp','port':9,'protocol':'SCTP'},{'port':8080}]},"
		"'status':{'loadBalancer':{'ingress':[{'ip':'198.51.100.7','ipMode':'VIP'},{'ip':'198.51.100.8',"
		"'ipMode':'Proxy'},{'hostname':'lb.example'}]}}}");

	ck_assert_str_eq(kube_said, "");
	ck_assert_str_eq(s->namespace, "shop");
	ck_assert_str_eq(s->name, "cart");
	ck_assert(s->local && s->publish_unready && !s->external_name && !s->elsewhere);
	ck_assert_uint_eq(s->affinity_ms, 600000);
	ck_assert_uint_eq(s->nr_addresses, 4);
	ck_assert_uint_eq(s->addresses[0].kind, KUBE_CLUSTER_IP);
	ck_assert_uint_eq(s->addresses[1].kind, KUBE_CLUSTER_IP);
	ck_assert_uint_eq(s->addresses[2].kind, KUBE_EXTERNAL_IP);
	ck_assert_uint_eq(s->addresses[3].kind, KUBE_LOAD_BALANCER);
	ck_assert_uint_eq(s->addresses[3].addr.byte[15], 7);
	ck_assert_uint_eq(s->nr_ports, 4);
	ck_assert_str_eq(s->ports[0].name, "http");
	ck_assert_uint_eq(s->ports[0].proto, IPPROTO_TCP);
	ck_assert_uint_eq(s->ports[1].proto, IPPROTO_UDP);
	ck_assert_uint_eq(s->ports[2].proto, 0);
	ck_assert_str_eq(s->ports[3].name, "");
	ck_assert_uint_eq(s->ports[3].proto, IPPROTO_TCP);
	kube_service_free(s);
}
END_TEST

static const struct {
	const char *spec;
	size_t addresses, ports;
	uint32_t affinity_ms;
} specs[] = {
	{ "{}", 0, 0, 0 },
	{ "{'clusterIP':'None','clusterIPs':['None'],'ports':[{'port':80}]}", 0, 1, 0 },
	{ "{'clusterIPs':['None'],'externalIPs':['192.0.2.1']}", 0, 0, 0 },
	{ "{'clusterIP':''}", 0, 0, 0 },
	{ "{'clusterIP':'10.0.0.1'}", 1, 0, 0 },
	{ "{'type':'ExternalName','externalName':'x.example','externalIPs':['192.0.2.1']}", 0, 0, 0 },
	{ "{'clusterIPs':['10.0.0.1'],'sessionAffinity':'ClientIP'}", 1, 0, 10800000 },
	{ "{'clusterIPs':['10.0.0.1'],'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'"
	  "timeoutSeconds':-1}}}",
	  1, 0, 10800000 },
	{ "{'clusterIPs':'10.0.0.1','ports':{'port':80},'sessionAffinity':true}", 0, 0, 0 },
	{ "{'clusterIPs':[3,null,{},'0.0.0.0','::','10.0.0.300','10.0.0.1'],'externalIPs':['name.example']}", 1, 0, 0 },
	{ "{'ports':[{'port':0},{'port':65536},{'port':'80'},{'port':80.5},7,null,{'port':80,'name':7},"
	  "{'port':80,'name':'a/b'},{'port':81,'name':null}]}",
	  0, 1, 0 },
};

START_TEST(specs_of_all_kinds)
{
	char text[2048];
	struct kube_service *s;

	snprintf(text, sizeof(text), "{" META ",'spec':%s}", specs[_i].spec);
	s = kube_service_of(text);
	ck_assert_uint_eq(s->nr_addresses, specs[_i].addresses);
	ck_assert_uint_eq(s->nr_ports, specs[_i].ports);
	ck_assert_uint_eq(s->affinity_ms, specs[_i].affinity_ms);
	kube_service_free(s);
}
END_TEST

static const char *const no_objects[] = {
	"7",
	"[]",
	"{}",
	"{'metadata':7,'spec':{}}",
	"{'metadata':{'name':'x'},'spec':{}}",
	"{'metadata':{'name':'','namespace':'y'},'spec':{}}",
	"{'metadata':{'name':'a/b','namespace':'y'},'spec':{}}",
	"{'metadata':{'name':'a b','namespace':'y'},'spec':{}}",
	"{'metadata':{'name':7,'namespace':'y'},'spec':{}}",
};

START_TEST(objects_without_names_are_refused)
{
	const struct kube_place place = { 0 };
	struct kube_service *service = NULL;
	struct kube_slice *slice = NULL;
	json_t *o = kube_json(no_objects[_i]);

	ck_assert_int_eq(kube_service_decode(o, &kube_odd, &service), -EBADMSG);
	ck_assert_int_eq(kube_slice_decode(o, &place, &kube_odd, &slice), -EBADMSG);
	ck_assert(*kube_said && !service && !slice);
	json_decref(o);
}
END_TEST

START_TEST(digests_tell_texts_apart)
{
	uint64_t a = kube_digest("{\"a\":1}", 7);

	ck_assert(a && a == kube_digest("{\"a\":1} ", 7));
	ck_assert(a != kube_digest("{\"a\":2}", 7));
	ck_assert(a != kube_digest("{\"a\":1} ", 8));
	ck_assert(kube_digest("", 0));
}
END_TEST

/* ---- annotations ---- */

START_TEST(wishes_are_read)
{
	struct kube_wishes w;
	json_t *o = kube_json(
		"{'weft.io/balance':'maglev','weft.io/connect-timeout':'250ms','weft.io/drain-timeout':'off',"
		"'weft.io/slow-start':'2m','weft.io/max-connections':'300','weft.io/ejection':'off',"
		"'weft.io/ignore':'true','weft.io/serve':'true','other.io/balance':'nonsense'}");

	kube_wishes_decode(o, "service a/b", &kube_odd, &w);
	ck_assert_str_eq(kube_said, "");
	ck_assert(w.ignore && w.serve && w.has_ejection && !w.ejection);
	ck_assert(w.has_balance && w.balance == WEFT_LB_MAGLEV);
	ck_assert(w.has_connect && w.connect_ms == 250);
	ck_assert(w.has_drain && w.drain_ms == 0);
	ck_assert(w.has_slow_start && w.slow_start_ms == 120000);
	ck_assert_uint_eq(w.max_connections, 300);
	json_decref(o);
}
END_TEST

static const char *const odd_wishes[] = {
	"{'weft.io/balance':'fastest'}",
	"{'weft.io/balance':7}",
	"{'weft.io/connect-timeout':'5'}",
	"{'weft.io/connect-timeout':'1ms'}",
	"{'weft.io/connect-timeout':'1h'}",
	"{'weft.io/connect-timeout':''}",
	"{'weft.io/drain-timeout':'0s'}",
	"{'weft.io/drain-timeout':'8d'}",
	"{'weft.io/slow-start':'-1s'}",
	"{'weft.io/max-connections':'0'}",
	"{'weft.io/max-connections':'1e9'}",
	"{'weft.io/ejection':'maybe'}",
	"{'weft.io/max-connections':'999999999999999999999'}",
	"{'weft.io/ignore':'yes'}",
	"{'weft.io/unknown':'1'}",
};

START_TEST(odd_wishes_are_told_and_ignored)
{
	struct kube_wishes w, none;
	json_t *o = kube_json(odd_wishes[_i]);

	memset(&none, 0, sizeof(none));
	memset(&w, 0, sizeof(w));
	kube_wishes_decode(o, "service a/b", &kube_odd, &w);
	ck_assert_msg(strstr(kube_said, "service a/b: annotation weft.io/") == kube_said, "%s", kube_said);
	ck_assert(!w.ignore && !w.has_balance && !w.has_connect && !w.has_drain && !w.has_slow_start &&
		  !w.has_ejection && !w.max_connections);
	json_decref(o);
}
END_TEST

/* ---- EndpointSlices ---- */

#define SLICE_META                                                                                                     \
	"'metadata':{'namespace':'shop','name':'cart-x','uid':'u2','resourceVersion':'6',"                             \
	"'labels':{'kubernetes.io/service-name':'cart'}}"

START_TEST(a_slice_is_read)
{
	struct kube_slice *s = kube_slice_of(
		"{" SLICE_META
		",'addressType':'IPv4','ports':[{'name':'http','port':8080,'protocol':'TCP'},{'name':'all'}],"
		"'endpoints':[{'addresses':['10.1.0.1','10.1.9.9'],'conditions':{},'nodeName':'n1','zone':'za',"
		"'targetRef':{'kind':'Pod','name':'cart-1'},'hints':{'forZones':[{'name':'zb'},{'name':'za'}],"
		"'forNodes':[{'name':'n2'}]}},"
		"{'addresses':['10.1.0.2'],'conditions':{'ready':false,'serving':true,'terminating':true},'nodeName':'"
		"n2'},"
		"{'addresses':['fd00::1']},{'addresses':[]},{'addresses':['cart.example']},7,"
		"{'addresses':['10.1.0.3'],'conditions':null,'hints':{'forZones':[{'name':'zb'}]}}]}",
		"n1", "za");

	ck_assert_str_eq(s->service, "cart");
	ck_assert(s->v4);
	ck_assert_uint_eq(s->nr_ports, 1);
	ck_assert_uint_eq(s->nr_endpoints, 3);
	ck_assert_uint_eq(s->endpoints[0].flags, KUBE_READY | KUBE_SERVING | KUBE_OUR_NODE | KUBE_ZONE_HINT |
							 KUBE_OUR_ZONE_HINT | KUBE_NODE_HINT);
	ck_assert_str_eq(s->endpoints[0].zone, "za");
	ck_assert_str_eq(s->words + s->endpoints[0].pod, "cart-1");
	ck_assert_str_eq(s->words + s->endpoints[0].node, "n1");
	ck_assert_uint_eq(s->endpoints[1].flags, KUBE_SERVING | KUBE_TERMINATING);
	ck_assert_uint_eq(s->endpoints[1].pod, 0);
	ck_assert_uint_eq(s->endpoints[2].flags, KUBE_READY | KUBE_SERVING | KUBE_ZONE_HINT);
	ck_assert_uint_eq(s->endpoints[2].node, 0);
	kube_slice_free(s);
}
END_TEST

static const struct {
	const char *rest;
	bool service;
	size_t endpoints;
} slices[] = {
	{ SLICE_META ",'addressType':'FQDN','endpoints':[{'addresses':['a.example']}]", false, 0 },
	{ SLICE_META, false, 0 },
	{ SLICE_META ",'addressType':'IPv6','endpoints':[{'addresses':['fd00::1']},{'addresses':['10.0.0.1']}]", true,
	  1 },
	{ SLICE_META ",'addressType':'IPv4','endpoints':null,'ports':null", true, 0 },
	{ SLICE_META ",'addressType':'IPv4','endpoints':{},'ports':7", true, 0 },
	{ "'metadata':{'namespace':'a','name':'b'},'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1']}]",
	  false, 0 },
	{ "'metadata':{'namespace':'a','name':'b','labels':[]},'addressType':'IPv4'", false, 0 },
	{ "'metadata':{'namespace':'a','name':'b','labels':{'kubernetes.io/service-name':7}},'addressType':'IPv4'",
	  false, 0 },
	{ SLICE_META
	  ",'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1'],'conditions':7,'nodeName':{},'zone':[],"
	  "'targetRef':'x','hints':[]}]",
	  true, 1 },
};

START_TEST(slices_of_all_kinds)
{
	char text[2048];
	struct kube_slice *s;

	snprintf(text, sizeof(text), "{%s}", slices[_i].rest);
	s = kube_slice_of(text, NULL, NULL);
	ck_assert(!!s->service == slices[_i].service);
	ck_assert_uint_eq(s->nr_endpoints, slices[_i].endpoints);
	kube_slice_free(s);
}
END_TEST

static void setup(void)
{
	*kube_said = '\0';
}

static Suite *kube_suite(void)
{
	Suite *s = suite_create("kubernetes, decoded");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_service_is_read);
	tcase_add_loop_test(t, specs_of_all_kinds, 0, UNIT_NR(specs));
	tcase_add_loop_test(t, objects_without_names_are_refused, 0, UNIT_NR(no_objects));
	tcase_add_test(t, digests_tell_texts_apart);
	tcase_add_test(t, wishes_are_read);
	tcase_add_loop_test(t, odd_wishes_are_told_and_ignored, 0, UNIT_NR(odd_wishes));
	tcase_add_test(t, a_slice_is_read);
	tcase_add_loop_test(t, slices_of_all_kinds, 0, UNIT_NR(slices));
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(kube_suite());
}
