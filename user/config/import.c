/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From files to a weft.yaml. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/import_inside.h"

#define OUTPUT_MAX (64u << 20)

void import_free(struct import *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->nr_remarks; i++) {
		free(x->remarks[i].file);
		free(x->remarks[i].key);
		free(x->remarks[i].text);
	}
	free(x->remarks);
	for (size_t i = 0; i < x->nr_registries; i++) {
		free(x->registries[i].name);
		free(x->registries[i].key);
		free(x->registries[i].text);
	}
	free(x->registries);
	for (size_t i = 0; i < x->nr_claims; i++) {
		free(x->claims[i].address);
		free(x->claims[i].service);
	}
	free(x->claims);
	for (size_t i = 0; i < x->nr_files; i++)
		free(x->files[i]);
	free(x->files);
	fclosep(&x->services);
	fclosep(&x->announcements);
	free(x->services_text);
	free(x->announcements_text);
	free(x->file_output);
	free(x);
}

struct import *import_new(void)
{
	_cleanup_(import_freep) struct import *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->services = open_memstream(&x->services_text, &x->services_len);
	x->announcements = open_memstream(&x->announcements_text, &x->announcements_len);
	return x->services && x->announcements ? MOVE(x, NULL) : NULL;
}

int import_conf_dir(const struct import_part *file, char **ret, struct config_error *ret_error)
{
	_cleanup_(tree_done) struct tree t = { .nr = 0 };
	const struct node *n;
	int r;

	*ret = NULL;
	r = tree_read(file, &t, ret_error);
	if (r)
		return r;
	n = node_get(t.root, "service_conf_dir");
	if (!n)
		return 0;
	if (!node_is(n, NODE_TEXT) || !*n->text)
		return error_set(ret_error, -EINVAL, file->name, n->line, "service_conf_dir", "must be a folder");
	*ret = strdup(n->text);
	return *ret ? 0 : error_set(ret_error, -ENOMEM, file->name, 0, NULL, "not enough memory to read it");
}

/* ---- which of both it is ---- */

static unsigned count_keys(const struct node *n, const char *const *keys)
{
	unsigned nr = 0;

	for (; *keys; keys++)
		nr += node_get(n, *keys) != NULL;
	return nr;
}

/* Above 0: Synapse's; below: Nerve's. */
static int lean(const struct node *service)
{
	static const char *const synapse[] = { "discovery", "discovery_multi", "default_servers", "haproxy", NULL };
	static const char *const nerve[] = { "checks", "reporter_type", "zk_hosts",  "zk_path",
					     "host",   "port",		"etcd_host", NULL };

	return (int)count_keys(service, synapse) - (int)count_keys(service, nerve);
}

static int lean_all(const struct node *root, const struct tree *trees, size_t nr)
{
	static const char *const synapse[] = { "haproxy", "file_output", NULL };
	static const char *const nerve[] = { "instance_id", "heartbeat_path", "max_repeated_report_failures", NULL };
	const struct node *services = node_get(root, "services");
	int to = (int)count_keys(root, synapse) - (int)count_keys(root, nerve);

	for (size_t i = 0; node_is(services, NODE_MAP) && i < services->nr; i++)
		to += lean(services->items[i]);
	for (size_t i = 0; i < nr; i++)
		to += lean(trees[i].root);
	return to;
}

static int fail_unknown(struct import *x, const struct node *root)
{
	const struct node *services = node_get(root, "services");

	if (!node_is(root, NODE_MAP))
		return import_fail(x, NULL, "", "must be a mapping, not %s", node_kind_name(root));
	if (!services && (node_get(root, "discovery") || (node_get(root, "host") && node_get(root, "port"))))
		return import_fail(x, NULL, "",
				   "is a single service: give the file that names its folder as service_conf_dir");
	if (services && services->kind != NODE_MAP)
		return import_fail(x, services, "services", "must be a mapping from names to services, not %s",
				   node_kind_name(services));
	if (!services && lean_all(root, NULL, 0))
		return import_fail(x, NULL, "services", "is missing");
	return import_fail(x, NULL, "",
			   "is neither Synapse's configuration (services with \"discovery\") nor Nerve's "
			   "(\"instance_id\", services with \"host\", \"port\" and \"checks\")");
}

/* ---- services ---- */

static bool is_part(const struct import_part *parts, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(parts[i].service, name))
			return true;
	return false;
}

static int call(struct import *x, const char *name, const struct node *service,
		int (*one)(struct import *, const char *, const struct node *, void *), void *ctx)
{
	size_t first = x->nr_remarks;
	int r;

	snprintf(x->where, sizeof(x->where), "services.%.130s", name);
	x->line = service->line;
	if (!node_is(service, NODE_MAP))
		return import_fail(x, service, "", "must be a mapping, not %s", node_kind_name(service));
	r = one(x, name, service, ctx);
	*x->where = '\0';
	x->line = 0;
	if (r)
		return r;
	fflush(x->services);
	fflush(x->announcements);
	if (x->services_len + x->announcements_len > OUTPUT_MAX)
		return import_fail(x, service, "", "the configuration gets too large");
	return x->failed && first <= x->nr_remarks ? import_fail_memory(x) : 0;
}

int import_each_service(struct import *x, const struct node *root, const struct import_part *parts,
			const struct tree *trees, size_t nr,
			int (*one)(struct import *x, const char *name, const struct node *service, void *ctx),
			void *ctx)
{
	const struct node *services = node_get(root, "services");
	const char *file = x->file;
	int r = 0;

	for (size_t i = 0; !r && services && i < services->nr; i++) {
		if (!is_part(parts, nr, services->keys[i])) {
			r = call(x, services->keys[i], services->items[i], one, ctx);
			continue;
		}
		snprintf(x->where, sizeof(x->where), "services.%.130s", services->keys[i]);
		import_remark(x, IMPORT_CHANGE, services->items[i], "",
			      "is in service_conf_dir, too, which goes first; left out here");
		*x->where = '\0';
	}
	for (size_t i = 0; !r && i < nr; i++) {
		x->file = parts[i].name;
		r = call(x, parts[i].service, trees[i].root, one, ctx);
	}
	x->file = file;
	return r;
}

static void remark_twice(struct import *x, const char *file, const struct tree *t)
{
	const struct node at = { .line = t->twice_line };
	struct quoted q;

	if (!t->twice)
		return;
	x->file = file;
	import_remark(x, IMPORT_CHANGE, &at, "", "key %s is there twice; the last one counts", quote(t->twice, &q));
}

static int keep_file(struct import *x, const char *name)
{
	const char *slash = strrchr(name, '/');
	char **more = reallocarray(x->files, x->nr_files + 1, sizeof(*more));

	if (!more)
		return import_fail_memory(x);
	x->files = more;
	more[x->nr_files] = strdup(slash ? slash + 1 : name);
	if (!more[x->nr_files])
		return import_fail_memory(x);
	for (char *at = more[x->nr_files++]; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	return 0;
}

static int add(struct import *x, const struct import_part *file, const struct import_part *services, size_t nr,
	       const struct node *root, const struct tree *trees)
{
	const struct node *s = node_get(root, "services");
	int to = lean_all(root, trees, nr);

	x->file = file->name;
	if (!to || !node_is(root, NODE_MAP) || (s && s->kind != NODE_MAP) ||
	    (!s && !nr && !node_get(root, "service_conf_dir")))
		return fail_unknown(x, root);
	if (keep_file(x, file->name))
		return -ENOMEM;
	return to > 0 ? import_synapse(x, root, services, trees, nr) : import_nerve(x, root, services, trees, nr);
}

int import_add(struct import *x, const struct import_part *file, const struct import_part *services, size_t nr,
	       struct config_error *ret_error)
{
	_cleanup_(tree_done) struct tree t = { .nr = 0 };
	struct tree *trees = calloc(nr ? nr : 1, sizeof(*trees));
	int r;

	x->error = ret_error;
	x->file = file->name;
	*x->where = '\0';
	x->line = 0;
	if (!trees)
		return import_fail_memory(x);
	r = tree_read(file, &t, ret_error);
	remark_twice(x, file->name, &t);
	for (size_t i = 0; !r && i < nr; i++) {
		r = tree_read(&services[i], &trees[i], ret_error);
		remark_twice(x, services[i].name, &trees[i]);
	}
	if (!r)
		r = add(x, file, services, nr, t.root, trees);
	for (size_t i = 0; i < nr; i++)
		tree_done(&trees[i]);
	free(trees);
	return r;
}

/* ---- the whole ---- */

static void put_all(struct import *x, FILE *out)
{
	fputs("# Made by `weft import` from", out);
	for (size_t i = 0; i < x->nr_files; i++)
		fprintf(out, "%s %s", i ? "," : "", x->files[i]);
	fputs(".\n", out);
	if (x->file_output) {
		fputs("file-output: ", out);
		import_put(out, x->file_output);
		fputc('\n', out);
	}
	if (x->nr_registries)
		fputs("registries:\n", out);
	for (size_t i = 0; i < x->nr_registries; i++)
		fprintf(out, "  - name: %s\n    type: %s\n%s", x->registries[i].name, x->registries[i].type,
			x->registries[i].text);
	if (x->announcements_len)
		fprintf(out, "register:%s\n%s", x->nr_announcements ? "" : " []", x->announcements_text);
	if (x->services_len || !x->announcements_len)
		fprintf(out, "services:%s\n%s", x->nr_services ? "" : " []", x->services_len ? x->services_text : "");
}

/* Held against the reader that the agent has. */
static int check(const char *text, size_t len, struct config_error *e)
{
	_cleanup_(config_freep) struct config *c = NULL;
	int r;

	r = config_parse("(output)", text, len, &c, e);
	if (!r)
		r = config_seal(c->model, e);
	if (!r)
		r = config_check_registries(c, c->model, e);
	if (!r)
		r = config_check_addresses(c, c->model, e);
	return r == -ENOMEM ? r : r ? -EBADMSG : 0;
}

int import_finish(struct import *x, char **ret, struct config_error *ret_error)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	x->error = ret_error;
	x->file = "(output)";
	fflush(x->services);
	fflush(x->announcements);
	out = open_memstream(&text, &len);
	if (!out)
		return import_fail_memory(x);
	put_all(x, out);
	if (fclose(out))
		return import_fail_memory(x);
	r = check(text, len, ret_error);
	if (!r)
		*ret = MOVE(text, NULL);
	return r;
}
