/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "registry/envoy_cluster.h"
#include "weft/lb.h"

#define CONNECT_MIN_MS 20
#define CONNECT_MAX_MS 127000
#define WINDOW_MIN_MS  100
#define DAY_MS	       (24u * 3600 * 1000)
#define HASH_DIGITS    8

static int fail(char *why, size_t why_len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int fail(char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

void envoy_cluster_done(struct envoy_cluster *c)
{
	service_unref(c->service);
	free(c->eds_name);
	free(c->eds_path);
	*c = (struct envoy_cluster){ 0 };
}

/* ---- names ---- */

const char *envoy_cluster_name(const json_t *cluster)
{
	return envoy_text(cluster, "name");
}

/* FNV-1a. */
static uint32_t hash(const char *text)
{
	uint32_t h = 0x811c9dc5u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x01000193u;
	return h;
}

bool envoy_service_name(const char *name, char *ret, size_t len)
{
	for (const char *at = name; *at; at++)
		if (*at <= ' ' || *at >= 127 || *at == '"' || *at == '\\' || *at == '\'' || *at == '`')
			return false;
	if (strlen(name) < len)
		snprintf(ret, len, "%s", name);
	else
		snprintf(ret, len, "%.*s~%0*x", (int)(len - HASH_DIGITS - 2), name, HASH_DIGITS, hash(name));
	return true;
}

/* ---- the policy ---- */

struct policy {
	const char *word, *message;
	int lb;
};

static const struct policy policies[] = {
	{ "ROUND_ROBIN", "RoundRobin", WEFT_LB_ROUND_ROBIN },
	{ "LEAST_REQUEST", "LeastRequest", WEFT_LB_LEAST_REQUEST },
	{ "RING_HASH", "RingHash", WEFT_LB_MAGLEV },
	{ "RANDOM", "Random", WEFT_LB_RANDOM },
	{ NULL, NULL, 0 }, /* ORIGINAL_DST_LB, until version 1.17 */
	{ "MAGLEV", "Maglev", WEFT_LB_MAGLEV },
	{ "CLUSTER_PROVIDED", NULL, -1 },
	{ "LOAD_BALANCING_POLICY_CONFIG", NULL, -1 },
	{ NULL, "ClientSideWeightedRoundRobin", WEFT_LB_ROUND_ROBIN },
};
#define NR_POLICIES (sizeof(policies) / sizeof(policies[0]))

#define NEST_MOST 4

/* The first that is known, as Envoy does; policies that choose a locality have one for its endpoints within. */
static const struct policy *from_list(const json_t *policy, struct envoy_cluster *c, unsigned depth)
{
	const json_t *list = envoy_get(policy, "policies"), *at;
	size_t i, k;

	json_array_foreach(list, i, at)
	{
		const json_t *config = envoy_get(envoy_get(at, "typed_extension_config"), "typed_config");

		if (!json_object_get(config, "@type"))
			continue;
		if (envoy_is_a(config, "WrrLocality") && depth < NEST_MOST) {
			c->reading.locality_weights = true;
			return from_list(envoy_get(config, "endpoint_picking_policy"), c, depth + 1);
		}
		for (k = 0; k < NR_POLICIES; k++)
			if (policies[k].message && envoy_is_a(config, policies[k].message)) {
				c->reading.locality_weights |= envoy_get(envoy_get(config, "locality_lb_config"),
									 "locality_weighted_lb_config") != NULL;
				return &policies[k];
			}
	}
	return NULL;
}

static bool is_prime(uint32_t n)
{
	for (uint32_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

static void take_policy(const json_t *cluster, struct envoy_cluster *c, struct envoy_odd *odd)
{
	const json_t *list = envoy_get(cluster, "load_balancing_policy");
	const char *words[NR_POLICIES + 1] = { NULL };
	const struct policy *p = NULL;
	uint32_t size = WEFT_MAGLEV_DEF;
	unsigned i;

	for (i = 0; i < NR_POLICIES - 1; i++)
		words[i] = policies[i].word ? policies[i].word : "";
	if (list)
		p = from_list(list, c, 0);
	else if (!envoy_enum(cluster, "lb_policy", words, &i))
		p = &policies[i];
	if (!p || p->lb < 0 || (!p->word && !p->message))
		envoy_odd_say(odd, "its load balancing policy has no counterpart");
	else
		c->service->lb = (uint8_t)p->lb;
	if (envoy_number(envoy_get(cluster, "maglev_lb_config"), "table_size", size, &size) || size > WEFT_MAGLEV_MAX ||
	    !is_prime(size))
		envoy_odd_say(odd, "maglev_lb_config.table_size is no prime up to %d", WEFT_MAGLEV_MAX);
	else
		c->service->maglev_size = size;
}

/* ---- common_lb_config, slow start, timeouts ---- */

static void take_panic(const json_t *common, struct service *s, struct envoy_odd *odd)
{
	double percent;

	if (envoy_real(envoy_get(common, "healthy_panic_threshold"), "value", 50, &percent))
		envoy_odd_say(odd, "healthy_panic_threshold is no number");
	s->panic_percent = (uint8_t)ceil(fmax(0, fmin(100, percent)));
}

static void take_zones(const json_t *common, struct service *s, struct envoy_odd *odd)
{
	const json_t *zones = envoy_get(common, "zone_aware_lb_config");
	uint32_t least;

	if (!zones)
		return;
	if (envoy_number(zones, "min_cluster_size", 6, &least))
		envoy_odd_say(odd, "min_cluster_size is no number");
	s->zone_aware = true;
	s->zone_endpoints = least < 1 ? 1 : least > WEFT_ENDPOINTS_PER_SERVICE ? WEFT_ENDPOINTS_PER_SERVICE : least;
}

static void take_slow_start(const json_t *cluster, struct service *s, struct envoy_odd *odd)
{
	const json_t *slow = envoy_get(envoy_get(cluster, s->lb == WEFT_LB_LEAST_REQUEST ? "least_request_lb_config"
											 : "round_robin_lb_config"),
				       "slow_start_config");
	uint32_t window;
	double percent;

	if (!slow)
		return;
	if (envoy_ms(slow, "slow_start_window", 0, &window) ||
	    envoy_real(envoy_get(slow, "min_weight_percent"), "value", 10, &percent)) {
		envoy_odd_say(odd, "slow_start_config makes no sense");
		return;
	}
	if (!window)
		return;
	s->slow_start_ms = window < WINDOW_MIN_MS ? WINDOW_MIN_MS : window > DAY_MS ? DAY_MS : window;
	s->slow_start_percent = (uint8_t)fmax(1, fmin(99, percent));
}

static void take_connect(const json_t *cluster, struct service *s, struct envoy_odd *odd)
{
	uint32_t ms;

	if (envoy_ms(cluster, "connect_timeout", 5000, &ms))
		envoy_odd_say(odd, "connect_timeout is no duration");
	s->connect_timeout_ms = ms < CONNECT_MIN_MS ? CONNECT_MIN_MS : ms > CONNECT_MAX_MS ? CONNECT_MAX_MS : ms;
}

/* ---- its address ---- */

static int add_frontend(const json_t *text, struct service *s, char *why, size_t why_len)
{
	struct frontend f;

	if (!json_is_string(text) || addr_port_parse(json_string_value(text), &f.addr, &f.port) ||
	    weft_addr_is_any(&f.addr) || !envoy_usable(&f.addr))
		return fail(why, why_len, "metadata: address must be \"10.96.0.10:80\" or a list of such");
	if (s->nr_frontends == WEFT_FRONTENDS_PER_SERVICE)
		return fail(why, why_len, "metadata: there are more addresses than %d", WEFT_FRONTENDS_PER_SERVICE);
	if (s->nr_frontends && weft_addr_is_v4(&f.addr) != weft_addr_is_v4(&s->frontends[0].addr))
		return fail(why, why_len, "metadata: addresses of one family only, please: they share their endpoints");
	for (size_t i = 0; i < s->nr_frontends; i++)
		if (weft_addr_equal(&f.addr, &s->frontends[i].addr) && f.port == s->frontends[i].port)
			return 0;
	return service_add_frontend(s, &f);
}

/* filter_metadata: {weft: {address: "10.96.0.10:80", port: 80, protocol: tcp}} */
static int take_metadata(const json_t *cluster, struct envoy_cluster *c, char *why, size_t why_len)
{
	const json_t *weft = json_object_get(envoy_get(envoy_get(cluster, "metadata"), "filter_metadata"), "weft");
	const json_t *address = envoy_get(weft, "address"), *at;
	const char *protocol = envoy_text(weft, "protocol");
	uint32_t port;
	size_t i;
	int r = 0;

	if (protocol && proto_from_name(protocol) < 0)
		return fail(why, why_len, "metadata: protocol must be tcp or udp");
	if (protocol)
		c->service->proto = (uint8_t)proto_from_name(protocol);
	if (envoy_number(weft, "port", 0, &port) || port > 65535)
		return fail(why, why_len, "metadata: port must be 1 to 65535");
	c->port = (uint16_t)port;
	if (!json_is_array(address))
		return address ? add_frontend(address, c->service, why, why_len) : 0;
	json_array_foreach(address, i, at) if (!r) r = add_frontend(at, c->service, why, why_len);
	return r;
}

/* ---- its endpoints ---- */

static int copy(const char *text, char **ret)
{
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int take_eds(const json_t *cluster, struct envoy_cluster *c, char *why, size_t why_len)
{
	const json_t *eds = envoy_get(cluster, "eds_cluster_config"), *config = envoy_get(eds, "eds_config");
	const char *name = envoy_text(eds, "service_name");
	const char *path = envoy_text(envoy_get(config, "path_config_source"), "path");

	c->eds = true;
	if (!path)
		path = envoy_text(config, "path");
	if (path && *path != '/')
		return fail(why, why_len, "eds_config: the path must be absolute");
	if (path && copy(path, &c->eds_path))
		return -ENOMEM;
	return copy(name ? name : envoy_cluster_name(cluster), &c->eds_name);
}

static int take_endpoints(const json_t *cluster, struct envoy_cluster *c, char *why, size_t why_len)
{
	static const char *const types[] = { "STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST", NULL };
	static const char *const families[] = { "AUTO", "V4_ONLY", "V6_ONLY", "V4_PREFERRED", "ALL", NULL };
	unsigned type, family;

	if (envoy_get(cluster, "cluster_type") || envoy_enum(cluster, "type", types, &type) || type > 3)
		return fail(why, why_len, "endpoints of its type cannot be had here");
	if (!envoy_enum(cluster, "dns_lookup_family", families, &family))
		c->family = family == 1 ? ENVOY_V4 : family == 2 ? ENVOY_V6 : ENVOY_ANY;
	if (type == 3)
		return take_eds(cluster, c, why, why_len);
	c->assignment = envoy_get(cluster, "load_assignment");
	return 0;
}

/* ---- what is left ---- */

static void say_others(const json_t *cluster, struct envoy_odd *odd)
{
	static const char *const none[] = { "transport_socket",
					    "transport_socket_matches",
					    "lb_subset_config",
					    "upstream_bind_config",
					    "upstream_connection_options",
					    "preconnect_policy",
					    "track_cluster_stats",
					    "filters",
					    "ring_hash_lb_config",
					    "original_dst_lb_config" };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (envoy_get(cluster, none[i]))
			envoy_odd_say(odd, "%s has no counterpart", none[i]);
}

static int take(const json_t *cluster, struct envoy_cluster *c, struct envoy_odd *odd, char *why, size_t why_len)
{
	const json_t *common = envoy_get(cluster, "common_lb_config");
	struct service *s = c->service;
	int r = take_metadata(cluster, c, why, why_len);

	if (!r)
		r = take_endpoints(cluster, c, why, why_len);
	if (r)
		return r;
	c->reading.locality_weights = envoy_get(common, "locality_weighted_lb_config") != NULL;
	take_policy(cluster, c, odd);
	take_panic(common, s, odd);
	take_zones(common, s, odd);
	take_slow_start(cluster, s, odd);
	take_connect(cluster, s, odd);
	envoy_take_limits(cluster, s, odd);
	envoy_take_ejection(cluster, s, odd);
	if (s->proto != IPPROTO_TCP) { /* no handshake: nothing to time, to move or to count */
		s->connect_timeout_ms = 0;
		s->failover = false;
	}
	say_others(cluster, odd);
	return envoy_take_check(cluster, s, odd);
}

int envoy_cluster(const json_t *cluster, struct envoy_cluster *ret, struct envoy_odd *odd, char *why, size_t why_len)
{
	const char *name = envoy_cluster_name(cluster);
	char ours[WEFT_NAME_LEN];
	int r;

	*ret = (struct envoy_cluster){ 0 };
	if (!name || !envoy_service_name(name, ours, sizeof(ours)))
		return fail(why, why_len, "its name is none that a service can have");
	ret->service = service_new(ours);
	r = ret->service ? take(cluster, ret, odd, why, why_len) : -ENOMEM;
	if (r)
		envoy_cluster_done(ret);
	return r;
}
