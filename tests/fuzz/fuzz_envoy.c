/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fuzzes what a control plane for Envoy may answer, and what may be in a file in its place: the first byte says what it
 * is taken for, the rest is the text. Whatever becomes a service has to be one that weft.yaml could have written. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "registry/envoy_cluster.h"
#include "registry/envoy_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_envoy: %s\n", what);
	abort();
}

static void need_found(const struct found *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		const struct found_endpoint *e = &f->at[i];

		need(e->endpoint.port, "a port");
		need(e->endpoint.weight <= WEFT_WEIGHT_MAX, "a weight");
		need(e->endpoint.priority <= WEFT_PRIORITY_MAX, "a priority");
		need(e->host ? *e->host != '\0' : envoy_usable(&e->endpoint.addr), "an address");
		need(!e->endpoint.zone || (*e->endpoint.zone && strlen(e->endpoint.zone) <= 63),
		     "a zone of that length");
		for (size_t k = 0; k < e->nr_labels; k++)
			need(*e->labels[k].key && e->labels[k].value, "a label without a name");
	}
}

static void read_assignment(const json_t *assignment, bool localities)
{
	const struct envoy_reading how = { .locality_weights = localities };
	struct envoy_odd odd = { 0 };
	struct found f = { 0 };
	char why[160] = "";
	int r = envoy_endpoints(assignment, &how, &f, &odd, why, sizeof(why));

	need(r == 0 || r == -EBADMSG, "an errno that is not promised");
	need(!r || (!f.nr && *why), "a failure with endpoints, or without a word");
	need_found(&f);
	found_done(&f);
}

/* What is written of a service can be read, and is the same. */
static void need_readable(const struct service *s)
{
	_cleanup_(model_freep) struct model *m = model_new(), *again = model_new();
	struct config_error *e = calloc(1, sizeof(*e));
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct service *copy = service_clone(s);
	struct frontend f = { .port = 80 };

	if (!copy->nr_frontends)
		service_add_frontend(copy, &f);
	model_add(m, copy);
	config_dump_services(m, out);
	fclose(out);
	if (config_parse_services("fuzz", text, len, again, e) || again->nr != 1 ||
	    !service_equal(again->services[0], copy)) {
		fprintf(stderr, "%s\n%s", e->text, text);
		config_dump_services(again, stderr);
	}
	need(again->nr == 1 && service_equal(again->services[0], copy), "a service that weft.yaml cannot have");
	service_unref(copy);
	free(text);
	free(e);
}

static void read_cluster(const json_t *cluster)
{
	struct envoy_odd odd = { 0 };
	struct envoy_cluster c;
	char why[160] = "";
	int r = envoy_cluster(cluster, &c, &odd, why, sizeof(why));

	need(r == 0 || r == -EBADMSG, "an errno that is not promised");
	if (r) {
		need(!c.service && *why, "a failure with a service, or without a word");
		return;
	}
	need(c.eds ? c.eds_name && *c.eds_name : !c.eds_name, "a name for its endpoints");
	need(!c.eds_path || *c.eds_path == '/', "a path");
	need_readable(c.service);
	if (c.assignment)
		read_assignment(c.assignment, c.reading.locality_weights);
	envoy_cluster_done(&c);
}

static void read_resource(const json_t *resource, bool clusters, bool localities)
{
	const json_t *at = envoy_resource(resource, clusters ? "Cluster" : "ClusterLoadAssignment");

	if (at && clusters)
		read_cluster(at);
	else if (at)
		read_assignment(at, localities);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size ? size : 1);
	struct envoy_answer a;
	char why[160] = "";
	json_error_t error;
	json_t *root, *at;
	size_t i;

	if (!size)
		return 0;
	memcpy(text, data + 1, size - 1); /* exactly as long: an overrun is seen */
	text = realloc(text, size > 1 ? size - 1 : 1);
	envoy_may_be_half(text, size - 1);
	root = data[0] & 1 ? envoy_parse(text, size - 1, why, sizeof(why))
			   : json_loadb(text, size - 1, JSON_DECODE_INT_AS_REAL, &error);
	need(root || !(data[0] & 1) || *why, "a file that is refused without a word");
	if (root) {
		read_resource(root, data[0] & 2, data[0] & 4);
		if (envoy_answer(root, data[0] & 2 ? "Cluster" : "ClusterLoadAssignment", &a, why, sizeof(why)) == 0)
			json_array_foreach(a.resources, i, at) read_resource(at, data[0] & 2, data[0] & 4);
	}
	json_decref(root);
	return 0;
}
