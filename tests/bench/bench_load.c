/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How long services take to get into the kernel, all at once and one at a time, and what the agent weighs: the plane
 * alone, the plane behind the YAML parser, and the agent as it runs.
 */
#include "config/config.h"
#include "load_change.h"

#define SERVICES  10000
#define ENDPOINTS 100
#define BASE	  0x0a800000u /* 10.128.0.0 */

static const struct shape full = { .services = SERVICES, .endpoints = ENDPOINTS, .endpoint_base = BASE, .port = 8080 };

struct bench {
	struct rig *rig;
	struct series open, load, same, one_each, replace; /* the plane, ms */
	struct series parse, parsed_load;
	struct series reload, change_rate;
	char big[1024], folder[1024], aside[1024]; /* service files, and where they are written first */
};

static double ms_since(uint64_t start)
{
	return (double)(now_ns() - start) / 1e6;
}

/* Applies @m and drops it. */
static int timed_apply(struct plane *p, struct model *m, struct series *s)
{
	_cleanup_(model_freep) struct model *model = m;
	struct plane_error err = { .text = "" };
	struct plane_change change;
	uint64_t start = now_ns();
	int r;

	if (!model)
		return -ENOMEM;
	r = plane_apply(p, model, &change, &err);
	if (r)
		return log_err(r, "%s", err.text);
	series_add(s, ms_since(start));
	return 0;
}

/* One life of an instance: everything new, nothing new, one endpoint of each service new, every endpoint new. */
static int round_plane(struct bench *b, const char *word)
{
	struct plane_limits limits = {
		.services = 16384,
		.frontends = 32768,
		.specs = 32768,
		.backends = 3100000,
		.slots = 8000000,
		.affinity = 1024,
		.edges = 1024,
	};
	struct shape shape = full;
	struct plane *p = NULL;
	uint64_t start = now_ns();
	int r = rig_plane(b->rig, word, &limits, NULL, &p);

	if (r)
		return r;
	series_add(&b->open, ms_since(start));
	r = timed_apply(p, services_model(&shape), &b->load);
	if (!r)
		r = timed_apply(p, services_model(&shape), &b->same);
	shape.shifted = 1;
	if (!r)
		r = timed_apply(p, services_model(&shape), &b->one_each);
	plane_reclaim(p);
	shape.shifted = 0;
	shape.port = 9090;
	if (!r)
		r = timed_apply(p, services_model(&shape), &b->replace);
	plane_close(p);
	rig_unload(b->rig);
	return r;
}

static int round_parsed(struct bench *b, const char *word)
{
	struct plane_limits limits = {
		.services = 16384,
		.frontends = 32768,
		.specs = 32768,
		.backends = 1200000,
		.slots = 4800000,
		.affinity = 1024,
		.edges = 1024,
	};
	_cleanup_(model_freep) struct model *m = model_new();
	struct config_error why;
	struct plane *p = NULL;
	uint64_t start;
	char text[4096];
	int r = rig_plane(b->rig, word, &limits, NULL, &p);

	if (r)
		return r;
	start = now_ns();
	r = config_load_services(b->big, m, &why);
	if (!r)
		r = config_seal(m, &why);
	if (r) {
		log_err(r, "%s", config_error_format(&why, text, sizeof(text)));
	} else {
		series_add(&b->parse, ms_since(start));
		r = timed_apply(p, MOVE(m, NULL), &b->parsed_load);
		b->parsed_load.v[b->parsed_load.nr - 1] = ms_since(start);
	}
	plane_close(p);
	rig_unload(b->rig);
	return r;
}

static void print_plane(const struct bench *b)
{
	const char *row = "in this process, model in memory", *yaml = "in this process, from one YAML file";

	report("load", row, "load the programs, make the maps", "ms", &b->open, "");
	report("load", row, "load all", "ms", &b->load, "<= 2000");
	report("load", row, "apply again, nothing changed", "ms", &b->same, "");
	report("load", row, "one endpoint of every service replaced", "ms", &b->one_each, "<= 2000");
	report("load", row, "every endpoint replaced", "ms", &b->replace, "<= 2000");
	report("load", yaml, "read and parse", "ms", &b->parse, "");
	report("load", yaml, "load all", "ms", &b->parsed_load, "<= 2000");
}

/* Idle: no connects, no changes; what is left is housekeeping. */
static void print_weight(const struct agent *a, const char *row, const char *bar, unsigned idle_seconds)
{
	uint64_t cpu, start;

	report_one("agent", row, "VmRSS", "MB", agent_memory(a, "VmRSS"), bar);
	report_one("agent", row, "VmHWM", "MB", agent_memory(a, "VmHWM"), "");
	report_one("agent", row, "RssAnon", "MB", agent_memory(a, "RssAnon"), "");
	if (!idle_seconds)
		return;
	sleep_ns(2000000000u);
	cpu = cpu_of(a->pid);
	start = now_ns();
	sleep_ns(idle_seconds * 1000000000ull);
	report_one("agent", row, "idle CPU", "%", (double)(cpu_of(a->pid) - cpu) * 100 / (double)(now_ns() - start),
		   "");
	report_one("agent", row, "VmRSS after a while", "MB", agent_memory(a, "VmRSS"), "");
}

static int reload_all(struct bench *b, struct agent *a, struct yaml_text *y, struct series *s)
{
	uint64_t at = 0, seen = 0;
	int r;

	for (uint32_t i = 0; i < SERVICES; i++)
		yaml_text_flip(y, i);
	r = yaml_text_save(y, b->aside, b->big, &at);
	for (uint32_t i = 0; !r && i < SERVICES; i++)
		r = agent_wait_change(a, i, &seen);
	if (!r)
		series_add(s, (double)(seen - at) / 1e6);
	return r ? log_err(r, "reload of everything") : 0;
}

static int agent_one_file(struct bench *b, struct yaml_text *y)
{
	struct series reload = { .nr = 0 };
	struct agent a;
	uint64_t ns;
	int r = agent_start(&a, b->rig, "onefile", b->big, SERVICES, SERVICES * ENDPOINTS, &ns);

	if (r)
		return r;
	report_one("load", "the agent, one file", "start of the process to all visible", "ms", (double)ns / 1e6,
		   "<= 2000");
	print_weight(&a, "1,000,000 endpoints, one file", "<= 400", b->rig->quick ? 3 : 10);
	for (int i = 0; !r && i < (b->rig->quick ? 1 : 5); i++)
		r = reload_all(b, &a, y, &reload);
	report("load", "the agent, one file", "reload, every service changed, to all visible", "ms", &reload,
	       "<= 2000");
	if (!r)
		r = changes(&(struct changes){ &a, y, 1, b->big, b->aside, "one file", 100000000,
					       b->rig->quick ? 10 : 100 });
	report_one("agent", "1,000,000 endpoints, after reloads", "VmHWM", "MB", agent_memory(&a, "VmHWM"), "");
	agent_stop(&a);
	return r;
}

/* A write aside in the watched folder is an event too. */
static int change_each(const struct bench *b, struct agent *a, struct yaml_text *texts)
{
	unsigned max = b->rig->quick ? 40 : 200;
	struct changes c = { a, texts, SERVICES, b->folder, b->aside, "a file per service", 100000000, max };
	char beside[1100];
	int r = changes(&c);

	c.row = "a file per service, written beside";
	c.aside = beside;
	snprintf(beside, sizeof(beside), "%s/.new", b->folder);
	if (!r)
		r = changes(&c);
	c.row = "a file per service, back to back";
	c.aside = b->aside;
	c.gap_ns = 0;
	return r ? r : changes(&c);
}

static int agent_file_each(struct bench *b)
{
	struct yaml_text *texts = calloc(SERVICES, sizeof(*texts));
	char pattern[1200], path[1200];
	struct agent a;
	uint64_t ns, at;
	int r = texts ? 0 : -ENOMEM;

	for (uint32_t i = 0; !r && i < SERVICES; i++) {
		snprintf(path, sizeof(path), "%s/%06u.yaml", b->folder, i);
		r = yaml_text_make(&full, i, 1, &texts[i]);
		if (!r)
			r = yaml_text_save(&texts[i], b->aside, path, &at);
	}
	snprintf(pattern, sizeof(pattern), "%s/*.yaml", b->folder);
	if (!r)
		r = agent_start(&a, b->rig, "fileeach", pattern, SERVICES, SERVICES * ENDPOINTS, &ns);
	if (!r) {
		report_one("load", "the agent, a file per service", "start of the process to all visible", "ms",
			   (double)ns / 1e6, "<= 2000");
		print_weight(&a, "1,000,000 endpoints, a file per service", "<= 400", b->rig->quick ? 3 : 10);
		r = change_each(b, &a, texts);
		agent_stop(&a);
	}
	for (uint32_t i = 0; texts && i < SERVICES; i++)
		yaml_text_free(&texts[i]);
	free(texts);
	return r;
}

/* The agent of a small node and of a middling one. */
static int agent_small(struct bench *b, uint32_t services, const char *row, const char *bar)
{
	struct shape shape = full;
	struct yaml_text y = { .text = NULL };
	char path[1200];
	struct agent a;
	uint64_t ns, at;
	int r;

	shape.services = services;
	snprintf(path, sizeof(path), "%s/small-services.yaml", b->rig->dir);
	r = yaml_text_make(&shape, 0, services, &y);
	if (!r)
		r = yaml_text_save(&y, b->aside, path, &at);
	yaml_text_free(&y);
	if (!r)
		r = agent_start(&a, b->rig, "small", path, services, services * ENDPOINTS, &ns);
	if (r)
		return r;
	report_one("agent", row, "start to visible", "ms", (double)ns / 1e6, "");
	print_weight(&a, row, bar, b->rig->quick ? 3 : 10);
	agent_stop(&a);
	return 0;
}

static int in_process(struct bench *b)
{
	int r = 0;

	for (int i = 0; !r && i < (b->rig->quick ? 1 : 5); i++) {
		fprintf(stderr, "  plane, round %d\n", i + 1);
		r = round_plane(b, "plane");
		if (!r)
			r = round_parsed(b, "parsed");
	}
	print_plane(b);
	return r;
}

static int with_agent(struct bench *b, struct yaml_text *y)
{
	int r;

	if (!b->rig->weft) {
		log_msg(LOG_L_WARNING, "no weft binary given: the agent is not measured");
		return 0;
	}
	fprintf(stderr, "  agent, 1,000 and 100,000 endpoints\n");
	r = agent_small(b, 10, "1,000 endpoints", "<= 20");
	if (!r)
		r = agent_small(b, 1000, "100,000 endpoints", "");
	fprintf(stderr, "  agent, 1,000,000 endpoints in one file\n");
	if (!r)
		r = agent_one_file(b, y);
	fprintf(stderr, "  agent, 1,000,000 endpoints in 10,000 files\n");
	return r ? r : agent_file_each(b);
}

static int work(struct rig *rig)
{
	static struct bench b;
	struct yaml_text y = { .text = NULL };
	uint64_t at;
	int r, r2;

	b.rig = rig;
	/* Or sleeps of 20 us become 70. */
	prctl(PR_SET_TIMERSLACK, 1);
	snprintf(b.folder, sizeof(b.folder), "%s/services.d", rig->dir);
	/* A folder that the agent does not watch; it does watch the one that its weft.yaml is in. */
	snprintf(b.aside, sizeof(b.aside), "%s/aside", rig->dir);
	r = mkdir(b.folder, 0755) || mkdir(b.aside, 0755) ? -errno : 0;
	snprintf(b.aside, sizeof(b.aside), "%s/aside/new", rig->dir);
	snprintf(b.big, sizeof(b.big), "%s/big", rig->dir);
	if (!r && mkdir(b.big, 0755))
		r = -errno;
	snprintf(b.big, sizeof(b.big), "%s/big/services.yaml", rig->dir);
	if (!r)
		r = yaml_text_make(&full, 0, SERVICES, &y);
	if (!r)
		r = yaml_text_save(&y, b.aside, b.big, &at);
	if (r)
		return log_err(r, "cannot write %s", b.big);
	r = in_process(&b);
	r2 = with_agent(&b, &y);
	yaml_text_free(&y);
	return r ? r : r2;
}

int main(int argc, char **argv)
{
	return rig_run(argc, argv, work);
}
