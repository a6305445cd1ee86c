/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a Kubernetes API server sends, from bytes to values: streams cut into objects, Services, EndpointSlices,
 * annotations, kubeconfig. */
#include <errno.h>
#include <netinet/in.h>

#include "kube.h"
#include "registry/kube_config.h"
#include "registry/kube_events.h"
#include "registry/kube_split.h"

/* ---- cutting ---- */

static char cut[1024]; /* objects, each followed by "|" */

static int on_item(void *ctx, const char *text, size_t len)
{
	size_t at = strlen(cut);

	snprintf(cut + at, sizeof(cut) - at, "%.*s|", (int)len, text);
	return 0;
}

/* In pieces of @step bytes. */
static int feed(struct kube_split *s, const char *text, size_t step)
{
	size_t len = strlen(text);
	int r = 0;

	*cut = '\0';
	for (size_t i = 0; !r && i < len; i += step)
		r = kube_split_feed(s, text + i, len - i < step ? len - i : step);
	return r ? r : kube_split_end(s);
}

static const struct {
	bool list;
	const char *text, *items, *rest;
	int r;
} streams[] = {
	{ true, "{\"kind\":\"L\",\"items\":[{\"a\":1},{\"b\":[{}]}],\"x\":{\"items\":[{}]}}", "{\"a\":1}|{\"b\":[{}]}|",
	  "{\"kind\":\"L\",\"items\":[],\"x\":{\"items\":[{}]}}", 0 },
	{ true, "{\"items\":[ ],\"m\":\"}]\\\"{[\"}", "", "{\"items\":[],\"m\":\"}]\\\"{[\"}", 0 },
	{ true, "{\"items\":[{\"s\":\"}\\\\\\\"]\"}\n,\t{}]}", "{\"s\":\"}\\\\\\\"]\"}|{}|", "{\"items\":[]}", 0 },
	{ true, "{\"kind\":\"items\",\"other\":[{}]}", "", "{\"kind\":\"items\",\"other\":[{}]}", 0 },
	{ true, "{\"items\":null}", "", "{\"items\":null}", 0 },
	{ true, "{\"items\":[1]}", "", NULL, -EBADMSG },
	{ true, "{\"items\":[{]}", "{]|", NULL, -EBADMSG }, /* the parser of the object refuses it */
	{ true, "{\"items\":[{\"a\":1}", "{\"a\":1}|", NULL, -EBADMSG },
	{ true, "", "", NULL, -EBADMSG },
	{ true, "}", "", NULL, -EBADMSG },
	{ false, "{\"type\":\"A\"}\n{\"type\":\"B\",\"o\":{}}\n", "{\"type\":\"A\"}|{\"type\":\"B\",\"o\":{}}|", NULL,
	  0 },
	{ false, "", "", NULL, 0 },
	{ false, "{}{}", "{}|{}|", NULL, 0 },
	{ false, "{\"a\":", "", NULL, -EBADMSG },
	{ false, "{} garbage", "{}|", NULL, -EBADMSG },
	{ false, "[{}]", "", NULL, -EBADMSG },
};

START_TEST(streams_are_cut)
{
	for (size_t step = 1; step < 80; step++) {
		struct kube_split s;

		kube_split_init(&s, streams[_i].list, on_item, NULL);
		ck_assert_int_eq(feed(&s, streams[_i].text, step), streams[_i].r);
		ck_assert_str_eq(cut, streams[_i].items);
		if (streams[_i].rest) {
			ck_assert_uint_eq(s.rest.len, strlen(streams[_i].rest));
			ck_assert(!memcmp(s.rest.at, streams[_i].rest, s.rest.len));
		}
		kube_split_done(&s);
	}
}
END_TEST

static int refuse(void *ctx, const char *text, size_t len)
{
	return -EPERM;
}

START_TEST(cutting_has_an_end)
{
	static char blanks[65536];
	struct kube_split s;
	int r = 0;

	memset(blanks, ' ', sizeof(blanks));
	kube_split_init(&s, true, on_item, NULL);
	ck_assert_int_eq(kube_split_feed(&s, "{\"items\":[{", 11), 0);
	for (int i = 0; !r && i < 1000; i++)
		r = kube_split_feed(&s, blanks, sizeof(blanks));
	ck_assert_int_eq(r, -E2BIG);
	kube_split_done(&s);
	kube_split_init(&s, true, on_item, NULL);
	for (int i = r = 0; !r && i < 1000; i++)
		r = kube_split_feed(&s, blanks, sizeof(blanks));
	ck_assert_int_eq(r, -E2BIG);
	kube_split_done(&s);
	kube_split_init(&s, false, refuse, NULL);
	ck_assert_int_eq(kube_split_feed(&s, "{}", 2), -EPERM);
	kube_split_done(&s);
}
END_TEST

static const struct {
	const char *text, *version, *more, *why;
} lists[] = {
	{ "{\"metadata\":{\"resourceVersion\":\"17\",\"continue\":\"a/b=\"},\"items\":[]}", "17", "a%2Fb%3D", NULL },
	{ "{\"metadata\":{\"resourceVersion\":\"17\",\"continue\":\"\"},\"items\":null}", "17", NULL, NULL },
	{ "{\"metadata\":{\"resourceVersion\":17},\"items\":[]}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"metadata\":{\"resourceVersion\":\"1&watch=1\"},\"items\":[]}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"metadata\":{\"resourceVersion\":\"1\"}}", NULL, NULL, "it has no items" },
	{ "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":{}}", NULL, NULL, "it has no items" },
	{ "{}", NULL, NULL, "it has no resourceVersion" },
	{ "{\"items\":[", NULL, NULL, "it is not JSON" },
};

START_TEST(lists_are_read)
{
	char version[KUBE_VERSION_LEN] = "", why[128] = "", *more = NULL;
	int r = kube_list_decode(lists[_i].text, strlen(lists[_i].text), version, &more, why, sizeof(why));

	ck_assert_int_eq(r, lists[_i].why ? -EBADMSG : 0);
	if (lists[_i].why)
		ck_assert_str_eq(why, lists[_i].why);
	else
		ck_assert_str_eq(version, lists[_i].version);
	ck_assert_pstr_eq(more, lists[_i].more);
	free(more);
}
END_TEST

START_TEST(statuses_are_read)
{
	static const char good[] = "{\"kind\":\"Status\",\"message\":\"services is\\nforbidden\"}";
	char text[64];

	kube_status_decode(good, sizeof(good) - 1, text, sizeof(text));
	ck_assert_str_eq(text, "services is forbidden");
	kube_status_decode("<html>", 6, text, sizeof(text));
	ck_assert_str_eq(text, "");
	kube_status_decode("", 0, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

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
	ck_assert(s->version && s->local && s->publish_unready && !s->external_name && !s->elsewhere);
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

START_TEST(versions_tell_objects_apart)
{
	struct kube_id a, b;
	json_t *o = kube_json("{" META "}"), *p = kube_json("{" META "}");
	json_t *meta = json_object_get(p, "metadata");

	ck_assert_int_eq(kube_id_decode(o, &a), 0);
	ck_assert_int_eq(kube_id_decode(p, &b), 0);
	ck_assert(a.version && a.version == b.version);
	json_object_set_new(meta, "uid", json_string("u2"));
	kube_id_decode(p, &b);
	ck_assert(b.version && a.version != b.version);
	json_object_del(meta, "resourceVersion");
	kube_id_decode(p, &b);
	ck_assert_uint_eq(b.version, 0);
	json_decref(o);
	json_decref(p);
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

/* ---- kubeconfig ---- */

static const char config_text[] =
	"apiVersion: v1\nkind: Config\ncurrent-context: one\n"
	"contexts:\n- name: two\n  context: {cluster: c2, user: u2, namespace: there}\n- name: one\n  context: "
	"{cluster: c1, user: u1}\n"
	"- name: exec\n  context: {cluster: c1, user: runs}\n- name: half\n  context: {cluster: nowhere, user: u1}\n"
	"- name: proxy\n  context: {cluster: c3, user: u1}\n- name: bad64\n  context: {cluster: c4}\n"
	"clusters:\n- name: c1\n  cluster: {server: 'https://10.0.0.1:6443/', certificate-authority-data: aGVsbG8K}\n"
	"- name: c2\n  cluster: {server: 'https://c2', certificate-authority: ca.pem, insecure-skip-tls-verify: true}\n"
	"- name: c3\n  cluster: {server: 'https://c3', proxy-url: 'http://p'}\n"
	"- name: c4\n  cluster: {server: 'https://c4', certificate-authority-data: '*'}\n"
	"users:\n- name: u1\n  user: {token: secret}\n- name: runs\n  user: {exec: {command: aws}}\n"
	"- name: u2\n  user: {tokenFile: t, client-certificate-data: Y2VydA==, client-key: /k.pem}\n";

static int parse(const char *text, const char *context, struct kube_config *c, char *error)
{
	return kube_config_parse(text, strlen(text), context, c, error, 256);
}

START_TEST(kubeconfigs_are_read)
{
	struct kube_config c;
	char error[256] = "";

	ck_assert_int_eq(parse(config_text, NULL, &c, error), 0);
	ck_assert_str_eq(c.server, "https://10.0.0.1:6443/");
	ck_assert_str_eq(c.token, "secret");
	ck_assert_uint_eq(c.ca.len, 6);
	ck_assert(!memcmp(c.ca.at, "hello\n", 6) && !c.insecure && !c.namespace);
	kube_config_done(&c);
	ck_assert_int_eq(parse(config_text, "two", &c, error), 0);
	ck_assert_str_eq(c.namespace, "there");
	ck_assert_str_eq(c.ca_file, "ca.pem");
	ck_assert_str_eq(c.token_file, "t");
	ck_assert_str_eq(c.key_file, "/k.pem");
	ck_assert(c.insecure && c.cert.len == 4 && !memcmp(c.cert.at, "cert", 4));
	kube_config_done(&c);
}
END_TEST

static const struct {
	const char *text, *context, *why;
} bad_configs[] = {
	{ config_text, "three", "context \"three\" is not in it" },
	{ config_text, "exec",
	  "user \"runs\" gets credentials from a command (exec), which is not supported; give a token file or a client "
	  "certificate" },
	{ config_text, "half", "cluster \"nowhere\" is not in it" },
	{ config_text, "proxy", "cluster \"c3\" is behind a proxy (proxy-url), which is not supported" },
	{ config_text, "bad64", "certificate-authority-data is not base64" },
	{ "", NULL, "it has no current-context; write \"context\"" },
	{ "7", NULL, "it has no current-context; write \"context\"" },
	{ "current-context: [a]", NULL, "it has no current-context; write \"context\"" },
	{ "current-context: a\ncontexts: {a: b}", NULL, "context \"a\" is not in it" },
	{ "current-context: a\ncontexts: [{name: a, context: 7}]", NULL, "context \"a\" names no cluster" },
	{ "a: [", NULL, "line 2: did not find expected node content" },
};

START_TEST(bad_kubeconfigs_are_refused)
{
	struct kube_config c;
	char error[256] = "";

	ck_assert_int_eq(parse(bad_configs[_i].text, bad_configs[_i].context, &c, error), -EINVAL);
	ck_assert_str_eq(error, bad_configs[_i].why);
	kube_config_done(&c);
}
END_TEST

static const struct {
	const char *text, *bytes; /* NULL: refused */
} sixties[] = {
	{ "", "" },    { "YQ==", "a" },	 { "YWI=", "ab" }, { "YWJj", "abc" },	 { "YW\nJj\n", "abc" }, { "YQ", NULL },
	{ "Y", NULL }, { "Y===", NULL }, { "=", NULL },	   { "YQ==YQ==", NULL }, { "Y-_=", NULL },
};

START_TEST(base64_is_read)
{
	struct kube_bytes b = { 0 };
	int r = kube_base64(sixties[_i].text, &b);

	ck_assert_int_eq(r, sixties[_i].bytes ? 0 : -EINVAL);
	if (!r) {
		ck_assert_uint_eq(b.len, strlen(sixties[_i].bytes));
		ck_assert(!memcmp(b.at, sixties[_i].bytes, b.len));
	}
	free(b.at);
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
	tcase_add_loop_test(t, streams_are_cut, 0, UNIT_NR(streams));
	tcase_add_test(t, cutting_has_an_end);
	tcase_add_loop_test(t, lists_are_read, 0, UNIT_NR(lists));
	tcase_add_test(t, statuses_are_read);
	tcase_add_test(t, a_service_is_read);
	tcase_add_loop_test(t, specs_of_all_kinds, 0, UNIT_NR(specs));
	tcase_add_loop_test(t, objects_without_names_are_refused, 0, UNIT_NR(no_objects));
	tcase_add_test(t, versions_tell_objects_apart);
	tcase_add_test(t, wishes_are_read);
	tcase_add_loop_test(t, odd_wishes_are_told_and_ignored, 0, UNIT_NR(odd_wishes));
	tcase_add_test(t, a_slice_is_read);
	tcase_add_loop_test(t, slices_of_all_kinds, 0, UNIT_NR(slices));
	tcase_add_test(t, kubeconfigs_are_read);
	tcase_add_loop_test(t, bad_kubeconfigs_are_refused, 0, UNIT_NR(bad_configs));
	tcase_add_loop_test(t, base64_is_read, 0, UNIT_NR(sixties));
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_run(kube_suite());
}
