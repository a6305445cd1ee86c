/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Names and meanings are those of envoy/config/endpoint/v3. Endpoints that are ill or being drained stay, as such:
 * Envoy does not close their connections either.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/envoy_decode.h"

#define LABELS_MOST   128
#define ZONE_MOST     63
#define PRIORITY_MOST 128 /* Envoy's own */
#define OVERPROVISION 1.4 /* as much may a locality's healthy endpoints take over from its ill ones */
#define GROUPS	      (2 * (PRIORITY_MOST + 1))

enum health { UNKNOWN, HEALTHY, UNHEALTHY, DRAINING, TIMEOUT, DEGRADED };
static const char *const health_words[] = {
	"UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED", NULL
};

/* What weights are made of: one for each found endpoint. */
struct part {
	double weight; /* as written; then its share */
	size_t locality;
	unsigned priority; /* of the locality */
	bool ready, degraded;
};

struct locality {
	double weight;	   /* negative: not written */
	double all, ready; /* sums of its endpoints' weights */
};

struct decoding {
	const struct envoy_reading *how;
	const json_t *named; /* endpoints that are referred to by name */
	struct found *found;
	struct part *parts;
	size_t capacity;
	struct locality *localities;
	bool weighted[PRIORITY_MOST + 1]; /* some locality of this priority has a weight */
	unsigned last_priority;
	struct envoy_odd *odd;
	size_t bad;
};

/* ---- texts ---- */

/* Zones are kept for good (word_keep()): nothing that is none. */
static const char *word_in(const json_t *object, const char *key)
{
	const char *word = envoy_text(object, key);

	for (const char *at = word; at && *at; at++)
		if (*at <= ' ' || *at >= 127 || strchr("\"'`\\", *at) || at - word >= ZONE_MOST)
			return NULL;
	return word;
}

struct labels {
	struct label at[LABELS_MOST];
	char text[LABELS_MOST][32]; /* of numbers */
	size_t nr;
};

static void add_label(struct labels *l, const char *key, const json_t *value, struct envoy_odd *odd)
{
	const char *text = json_string_value(value);

	if (l->nr == LABELS_MOST || !*key) {
		envoy_odd_say(odd, "more labels than %d, or one without a name", LABELS_MOST);
		return;
	}
	if (json_is_boolean(value))
		text = json_is_true(value) ? "true" : "false";
	if (json_is_number(value)) {
		snprintf(l->text[l->nr], sizeof(l->text[0]), "%.15g", json_number_value(value));
		text = l->text[l->nr];
	}
	if (text)
		l->at[l->nr++] = (struct label){ key, text };
	else
		envoy_odd_say(odd, "label %s is no text, number or truth", key);
}

static void read_labels(const json_t *lb, const json_t *locality, struct labels *l, struct envoy_odd *odd)
{
	static const char *const parts[] = { "region", "zone", "sub_zone" };
	json_t *all = envoy_get(envoy_get(lb, "metadata"), "filter_metadata"), *value;
	const char *key;

	l->nr = 0;
	for (size_t i = 0; i < 3; i++)
		if (envoy_text(locality, parts[i]))
			l->at[l->nr++] = (struct label){ parts[i], envoy_text(locality, parts[i]) };
	json_object_foreach(json_object_get(all, "envoy.lb"), key, value) add_label(l, key, value, odd);
}

/* ---- one endpoint ---- */

static int note(struct decoding *d, const struct part *p)
{
	if (d->found->nr > d->capacity) {
		size_t want = d->capacity ? d->capacity * 2 : 16;
		struct part *more = reallocarray(d->parts, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		d->parts = more;
		d->capacity = want;
	}
	d->parts[d->found->nr - 1] = *p;
	return 0;
}

bool envoy_usable(const struct weft_addr *a)
{
	const uint8_t *b = a->byte;

	if (weft_addr_is_v4(a))
		return b[12] < 224;
	return b[0] != 0xff && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

static bool is_usable(const struct found_endpoint *e)
{
	return e->host || envoy_usable(&e->endpoint.addr);
}

static int add(struct decoding *d, const struct found_args *args, const struct part *p)
{
	int r = found_add(d->found, args);

	if (!r && !is_usable(&d->found->at[d->found->nr - 1])) {
		found_endpoint_done(&d->found->at[--d->found->nr]);
		r = -EINVAL;
	}
	if (r == -EINVAL)
		envoy_odd_say(d->odd, "an endpoint without a usable address and port: \"%s\", %u",
			      args->host ? args->host : "", args->port);
	return r ? r : note(d, p);
}

static const json_t *endpoint_of(const struct decoding *d, const json_t *lb)
{
	const json_t *endpoint = envoy_get(lb, "endpoint");
	const char *name = envoy_text(lb, "endpoint_name");

	return endpoint || !name ? endpoint : json_object_get(d->named, name);
}

static int add_endpoint(struct decoding *d, const json_t *lb, const json_t *locality, struct part p)
{
	const json_t *endpoint = endpoint_of(d, lb);
	const json_t *address = envoy_get(endpoint, "address"), *socket = envoy_get(address, "socket_address");
	struct found_args args = { .host = envoy_text(socket, "address"), .name = envoy_text(endpoint, "hostname") };
	struct labels labels;
	unsigned health;
	uint32_t weight;

	if (!socket) {
		envoy_odd_say(d->odd, "an endpoint without a socket_address%s",
			      envoy_get(address, "pipe")		     ? ": a pipe"
			      : envoy_get(address, "envoy_internal_address") ? ": an internal one"
									     : "");
		return -EINVAL;
	}
	if (envoy_number(socket, "port_value", 0, &args.port) ||
	    envoy_number(lb, "load_balancing_weight", 1, &weight) ||
	    envoy_enum(lb, "health_status", health_words, &health)) {
		envoy_odd_say(d->odd, "an endpoint whose port, weight or health is none");
		return -EINVAL;
	}
	p.weight = weight;
	p.ready = health <= HEALTHY || health == DEGRADED;
	p.degraded = health == DEGRADED;
	/* Healthy ones of all priorities come before degraded ones of any. */
	args.priority = p.priority + (p.degraded ? d->last_priority + 1 : 0);
	args.unready = !p.ready;
	args.zone = word_in(locality, "zone");
	if (!args.zone)
		args.zone = word_in(locality, "region");
	read_labels(lb, locality, &labels, d->odd);
	args.labels = labels.at;
	args.nr_labels = labels.nr;
	return add(d, &args, &p);
}

/* ---- localities ---- */

static const json_t *list_of(const json_t *group)
{
	const json_t *list = envoy_get(group, "lb_endpoints");

	return list ? list : envoy_get(envoy_get(group, "load_balancer_endpoints"), "lb_endpoints");
}

static int priority_of(const json_t *group, uint32_t *ret)
{
	return envoy_number(group, "priority", 0, ret) || *ret > PRIORITY_MOST ? -EINVAL : 0;
}

static int add_locality(struct decoding *d, const json_t *group, size_t index)
{
	struct locality *l = &d->localities[index];
	const json_t *list = list_of(group), *lb;
	uint32_t weight, priority;
	size_t i;

	*l = (struct locality){ .weight = -1 };
	if (!json_is_object(group) || priority_of(group, &priority) ||
	    envoy_number(group, "load_balancing_weight", 0, &weight) || (list && !json_is_array(list))) {
		envoy_odd_say(d->odd, "a locality whose priority, weight or endpoints are none");
		d->bad++;
		return 0;
	}
	if (envoy_get(group, "leds_cluster_locality_config"))
		envoy_odd_say(d->odd, "a locality whose endpoints are elsewhere (LEDS)");
	if (weight) {
		l->weight = weight;
		d->weighted[priority] = true;
	}
	json_array_foreach(list, i, lb)
	{
		struct part p = { .locality = index, .priority = priority };
		int r = add_endpoint(d, lb, envoy_get(group, "locality"), p);

		if (r == -ENOMEM)
			return r;
		d->bad += r != 0;
	}
	return 0;
}

/* ---- weights ---- */

static unsigned group_of(const struct part *p)
{
	return p->priority * 2 + p->degraded;
}

/*
 * As Envoy shares out: a locality has its weight's part of the connections, less when too many of its endpoints are
 * ill, and its endpoints share that by theirs. A locality without a weight has none when others of its priority have
 * one.
 */
static void share_localities(struct decoding *d, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct part *p = &d->parts[i];

		d->localities[p->locality].all += p->weight;
		d->localities[p->locality].ready += p->ready ? p->weight : 0;
	}
	for (size_t i = 0; i < nr; i++) {
		struct part *p = &d->parts[i];
		const struct locality *l = &d->localities[p->locality];
		double whole = l->ready > 0 ? l->ready : l->all;

		if (!d->weighted[p->priority])
			continue;
		p->weight *= l->weight > 0 && whole > 0 ? l->weight * fmin(1, OVERPROVISION * whole / l->all) / whole
							: 0;
	}
}

static unsigned divisor(unsigned a, unsigned b)
{
	while (b) {
		unsigned rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Whole numbers up to WEFT_WEIGHT_MAX in these proportions, as small as can be; those that are such already stay. */
static void set_weights(struct decoding *d, size_t nr)
{
	double most[GROUPS] = { 0 };
	bool scale[GROUPS] = { false };
	unsigned common[GROUPS] = { 0 };

	for (size_t i = 0; i < nr; i++) {
		unsigned g = group_of(&d->parts[i]);

		most[g] = fmax(most[g], d->parts[i].weight);
		scale[g] |= d->weighted[d->parts[i].priority] || d->parts[i].weight > WEFT_WEIGHT_MAX;
	}
	for (size_t i = 0; i < nr; i++) {
		unsigned g = group_of(&d->parts[i]);
		double w = d->parts[i].weight;

		if (scale[g] && w > 0)
			w = fmax(1, round(w * WEFT_WEIGHT_MAX / most[g]));
		d->found->at[i].endpoint.weight = (uint16_t)w;
		common[g] = divisor(common[g], (unsigned)w);
	}
	for (size_t i = 0; i < nr; i++) {
		unsigned g = group_of(&d->parts[i]);

		if (scale[g] && common[g] > 1)
			d->found->at[i].endpoint.weight = (uint16_t)(d->found->at[i].endpoint.weight / common[g]);
	}
}

/* ---- the whole ---- */

static int decode(struct decoding *d, const json_t *groups)
{
	const json_t *group;
	uint32_t priority;
	size_t i;
	int r = 0;

	d->localities = calloc(json_array_size(groups) + 1, sizeof(*d->localities));
	if (!d->localities)
		return -ENOMEM;
	json_array_foreach(groups, i, group) if (!priority_of(group, &priority) && priority > d->last_priority)
		d->last_priority = priority;
	json_array_foreach(groups, i, group)
	{
		r = add_locality(d, group, i);
		if (r)
			return r;
	}
	if (d->how->locality_weights)
		share_localities(d, d->found->nr);
	else
		memset(d->weighted, 0, sizeof(d->weighted));
	set_weights(d, d->found->nr);
	return 0;
}

int envoy_endpoints(const json_t *assignment, const struct envoy_reading *how, struct found *ret, struct envoy_odd *odd,
		    char *why, size_t why_len)
{
	const json_t *groups = envoy_get(assignment, "endpoints");
	struct decoding d = { .how = how, .named = envoy_get(assignment, "named_endpoints"), .found = ret, .odd = odd };
	int r;

	if (!json_is_object(assignment) || (groups && !json_is_array(groups))) {
		snprintf(why, why_len, "this is no ClusterLoadAssignment");
		return -EBADMSG;
	}
	if (envoy_get(envoy_get(assignment, "policy"), "drop_overloads"))
		envoy_odd_say(odd, "drop_overloads: there is nothing like it here");
	r = decode(&d, groups);
	free(d.parts);
	free(d.localities);
	if (!r && d.bad && !ret->nr) {
		snprintf(why, why_len, "none of its endpoints can be used; %s", odd->text);
		r = -EBADMSG;
	}
	if (r)
		found_done(ret);
	return r;
}
