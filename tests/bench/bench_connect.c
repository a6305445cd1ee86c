/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the connect hook costs. Every variant is a cgroup of its own; this process walks from one to the next, round
 * after round, so that all of them meet the same noise. Two measurements: connect() as the application sees it, and the
 * programs alone, as the kernel's own run time counters see them.
 */
#include "connect_loop.h"
#include "progstats.h"
#include "report.h"

#define CASES_MAX	40
#define SET		64 /* a process's working set of services */
#define POLICY_SERVICES 1000
#define SLICES		25 /* at most ROUNDS_MAX */

enum { TCP, UDP, PROTOS };

/* One instance of weft, or none. */
struct world {
	char word[16], cgroup[640];
	struct plane *plane;
	struct progs progs;
	uint32_t services;
};

struct kase {
	const char *table;
	char name[80];
	struct world *world;
	struct targets to;
	const char *bar; /* for the connect program's own time */
	struct series p50[PROTOS], p99[PROTOS], worst[PROTOS], cpu[PROTOS], hook[PROTOS], all[PROTOS];
};

struct bench {
	struct rig *rig;
	struct world none, empty, world[8];
	unsigned nr_worlds, nr;
	struct kase kase[CASES_MAX];
	struct series clock; /* ns that counting itself adds to a run */
	struct samples samples;
	int listener;
	uint64_t seed;
};

static const uint32_t sizes[] = { 10, 1000, 10000, 100000 };
#define NR_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static struct kase *add_case(struct bench *b, const char *table, const char *name, struct world *w, struct targets to,
			     const char *bar)
{
	struct kase *k;

	if (b->nr == CASES_MAX)
		return NULL;
	k = &b->kase[b->nr++];
	k->table = table;
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->world = w;
	k->to = to;
	k->bar = bar;
	return k;
}

static int first_proto(const struct kase *k)
{
	return k->to.again ? UDP : TCP;
}

/* The same capacities in every instance: what differs is how many services are in. */
static int add_world(struct bench *b, const char *word, const struct shape *shape, struct world **ret)
{
	struct plane_limits limits = {
		.services = 131072,
		.frontends = 131072,
		.specs = 262144,
		.backends = 524288,
		.slots = 2097152,
		.affinity = 65536,
		.edges = 1048576,
	};
	_cleanup_(model_freep) struct model *m = services_model(shape);
	struct world *w = &b->world[b->nr_worlds];
	int r;

	if (!m)
		return -ENOMEM;
	snprintf(w->word, sizeof(w->word), "%s", word);
	snprintf(w->cgroup, sizeof(w->cgroup), "%s/%s", b->rig->cgroup, word);
	w->services = shape->services;
	fprintf(stderr, "  loading %u services x %u endpoints\n", shape->services, shape->endpoints);
	r = rig_plane(b->rig, word, &limits, m, &w->plane);
	if (!r)
		r = progs_open(&w->progs, plane_maps(w->plane)->dir);
	if (r)
		return log_err(r, "cannot set up %s", word);
	b->nr_worlds++;
	*ret = w;
	return 0;
}

static int add_size(struct bench *b, uint32_t services)
{
	struct shape shape = {
		.services = services,
		.endpoints = 3,
		.endpoint_base = INADDR_LOOPBACK,
		.shared = true,
		.port = SERVER_PORT,
		.both_protos = true,
	};
	uint32_t half = services / 2, set = half < SET ? half : SET;
	char word[16], name[80];
	struct world *w;
	int r;

	snprintf(word, sizeof(word), "n%u", services);
	r = add_world(b, word, &shape, &w);
	if (r)
		return r;
	snprintf(name, sizeof(name), "not a service, %u services loaded", services);
	add_case(b, "connect", name, w, (struct targets){ .of = 0 }, "<= 80");
	snprintf(name, sizeof(name), "one service of %u", services);
	add_case(b, "connect", name, w, (struct targets){ .of = half, .spread = 1 }, "<= 400");
	snprintf(name, sizeof(name), "%u services of %u at random", set, services);
	add_case(b, "connect", name, w, (struct targets){ .of = half, .spread = set }, "<= 400");
	snprintf(name, sizeof(name), "all of %u at random", services);
	add_case(b, "connect", name, w, (struct targets){ .of = half, .spread = half }, "<= 400");
	return 0;
}

static int add_policies(struct bench *b)
{
	struct shape shape = {
		.services = POLICY_SERVICES,
		.endpoints = 3,
		.endpoint_base = INADDR_LOOPBACK,
		.shared = true,
		.port = SERVER_PORT,
		.both_protos = true,
		.all_policies = true,
	};
	struct targets one = { POLICY_SERVICES / 2, 1, 0, false };
	struct shape single = shape;
	struct world *w;
	int r = add_world(b, "policies", &shape, &w);

	if (r)
		return r;
	for (one.first = 0; one.first < WEFT_LB_MAX; one.first++)
		add_case(b, "policy", lb_name(one.first), w, one, "<= 400");
	one.first = 0;
	single.endpoints = 1;
	single.all_policies = false;
	r = add_world(b, "single", &single, &w);
	if (r)
		return r;
	add_case(b, "policy", "p2c-ewma, one endpoint", w, one, "<= 400");
	one.again = true;
	add_case(b, "policy", "p2c-ewma, one endpoint, a socket that connects again", w, one, "<= 400");
	return 0;
}

static int setup(struct bench *b)
{
	int r = rig_own_netns();

	if (r)
		return r;
	b->seed = 0x9e3779b97f4a7c15ull;
	b->listener = listener_open();
	if (b->listener < 0)
		return log_err(b->listener, "cannot listen on port %d", SERVER_PORT);
	if (samples_init(&b->samples, 1u << 17))
		return -ENOMEM;
	r = rig_cgroup(b->rig, "none", b->none.cgroup, sizeof(b->none.cgroup));
	if (!r)
		r = rig_cgroup(b->rig, "empty", b->empty.cgroup, sizeof(b->empty.cgroup));
	if (!r)
		r = progs_open_empty(&b->empty.progs, b->empty.cgroup);
	if (r)
		return log_err(r, "cannot attach the empty program");
	add_case(b, "connect", "nothing attached", &b->none, (struct targets){ .of = 0 }, "");
	add_case(b, "connect", "empty program attached", &b->empty, (struct targets){ .of = 0 }, "");
	for (size_t i = 0; !r && i < NR_SIZES; i++)
		r = add_size(b, sizes[i]);
	return r ? r : add_policies(b);
}

/* Touches what the loop will touch: rows of weft_edges are made on first use, three to a service here. */
static int warm(struct bench *b, struct kase *k)
{
	unsigned nr = k->to.spread > 1000 ? (b->rig->quick ? 3 : 9) * k->to.spread : 2000;
	double cpu;
	int r = rig_enter(k->world->cgroup);

	for (int proto = first_proto(k); !r && proto < PROTOS; proto++)
		r = connect_loop(&k->to, proto == UDP, b->listener, nr, &b->seed, &b->samples, &cpu);
	return r ? log_err(r, "%s", k->name) : 0;
}

static int run_timed(struct bench *b, struct kase *k)
{
	double cpu;
	int r = rig_enter(k->world->cgroup);

	for (int proto = first_proto(k); !r && proto < PROTOS; proto++) {
		unsigned nr = (proto == UDP ? 20000 : 4000) / (b->rig->quick ? 4 : 1);

		r = connect_loop(&k->to, proto == UDP, b->listener, nr, &b->seed, &b->samples, &cpu);
		if (r)
			return log_err(r, "%s, %s", k->name, proto == UDP ? "UDP" : "TCP");
		series_add(&k->p50[proto], samples_at(&b->samples, 0.5));
		series_add(&k->p99[proto], samples_at(&b->samples, 0.99));
		series_add(&k->worst[proto], samples_at(&b->samples, 1));
		series_add(&k->cpu[proto], cpu);
	}
	return r;
}

static double median(const struct series *s)
{
	double mid, least, most;

	series_summary(s, &mid, &least, &most);
	return mid;
}

/*
 * The kernel counts sums, so an interrupt within a run goes into the mean. Hence many short slices and their median:
 * interrupts hit few of them.
 */
static int run_counted(struct bench *b, struct kase *k, int proto)
{
	unsigned nr = (proto == UDP ? 20000 : 4000) / (b->rig->quick ? 4 : 1) / SLICES;
	struct progs *progs = &k->world->progs;
	struct series hook = { .nr = 0 }, all = { .nr = 0 };
	struct progs_reading before, after;
	double cpu, overhead = b->clock.nr ? b->clock.v[b->clock.nr - 1] : 0;
	int r = 0;

	for (unsigned i = 0; !r && i < SLICES; i++) {
		progs_read(progs, &before);
		r = connect_loop(&k->to, proto == UDP, b->listener, nr, &b->seed, &b->samples, &cpu);
		progs_read(progs, &after);
		series_add(&hook, progs_mean(progs, &before, &after, "connect4"));
		series_add(&all, progs_total(progs, &before, &after, overhead) / nr);
	}
	if (k->world == &b->empty) {
		if (proto == UDP)
			series_add(&b->clock, median(&hook));
		return r;
	}
	series_add(&k->hook[proto], median(&hook) - overhead);
	series_add(&k->all[proto], median(&all));
	return r;
}

static int run_counted_case(struct bench *b, struct kase *k)
{
	int r = rig_enter(k->world->cgroup);

	for (int proto = first_proto(k); !r && proto < PROTOS; proto++)
		r = run_counted(b, k, proto);
	return r;
}

/* The order turns by one each round: nobody is always the one after the noisy one. The empty program goes first: it
 * calibrates. */
static int run_rounds(struct bench *b, unsigned rounds)
{
	int r = 0;

	for (unsigned i = 0; !r && i < b->nr; i++)
		r = warm(b, &b->kase[i]);
	for (unsigned round = 0; !r && round < rounds; round++) {
		_cleanup_(closep) int stats = -1;

		fprintf(stderr, "  round %u of %u\n", round + 1, rounds);
		for (unsigned i = 0; !r && i < b->nr; i++)
			r = run_timed(b, &b->kase[(i + round) % b->nr]);
		stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (stats < 0)
			return log_err(-errno, "cannot switch on the kernel's counting of run times");
		for (unsigned i = 1; !r && i < b->nr; i++)
			r = run_counted_case(b, &b->kase[i]);
	}
	return r;
}

static void print_case(const struct bench *b, const struct kase *k)
{
	char table[32];

	for (int proto = first_proto(k); proto < PROTOS; proto++) {
		struct series ratio = series_ratio(&k->p50[proto], &b->kase[0].p50[proto]);

		snprintf(table, sizeof(table), "%s-%s", k->table, proto == UDP ? "udp" : "tcp");
		if (k->world->plane) {
			report(table, k->name, "connect program", "ns", &k->hook[proto], k->bar);
			report(table, k->name, "all programs, connect to close", "ns", &k->all[proto], "");
		}
		report(table, k->name, "connect() p50", "ns", &k->p50[proto], "");
		report(table, k->name, "p50 / nothing attached", "x", &ratio, "");
		report(table, k->name, "connect() p99", "ns", &k->p99[proto], "");
		report(table, k->name, "connect() max", "ns", &k->worst[proto], "");
		report(table, k->name, "CPU, socket to close", "ns", &k->cpu[proto], "");
	}
}

static void print_ratio(const char *pattern, const char *what, const struct kase *large, const struct kase *small)
{
	struct series program = series_ratio(&large->hook[UDP], &small->hook[UDP]);
	struct series udp = series_ratio(&large->p50[UDP], &small->p50[UDP]);
	struct series tcp = series_ratio(&large->p50[TCP], &small->p50[TCP]);
	char row[96];

	snprintf(row, sizeof(row), "%s, %s services", pattern, what);
	report("flatness", row, "connect program (UDP)", "x", &program, "<= 1.10");
	report("flatness", row, "UDP connect() p50", "x", &udp, "<= 1.10");
	report("flatness", row, "TCP connect() p50", "x", &tcp, "<= 1.10");
}

/* Cases of one size lie four apart, beginning with number 2: not a service, one, a set, all. The sets of 10 services
 * are smaller. */
static void print_flatness(const struct bench *b)
{
	const struct kase *small = &b->kase[2], *middle = small + 4, *large = small + 4 * (NR_SIZES - 1);

	print_ratio("not a service", "100,000 / 10", &large[0], &small[0]);
	print_ratio("one service", "100,000 / 10", &large[1], &small[1]);
	print_ratio("64 at random", "100,000 / 1,000", &large[2], &middle[2]);
	print_ratio("all at random", "100,000 / 10", &large[3], &small[3]);
}

static int work(struct rig *rig)
{
	static struct bench b;
	int r;

	b.rig = rig;
	rig_pin(0);
	r = setup(&b);
	if (!r)
		r = run_rounds(&b, rig->quick ? 3 : 7);
	if (!r) {
		for (unsigned i = 0; i < b.nr; i++)
			print_case(&b, &b.kase[i]);
		report("connect-udp", "empty program attached", "counting itself, already subtracted", "ns", &b.clock,
		       "");
		print_flatness(&b);
	}
	for (unsigned i = 0; i < b.nr_worlds; i++) {
		progs_close(&b.world[i].progs);
		plane_close(b.world[i].plane);
	}
	return r;
}

int main(int argc, char **argv)
{
	return rig_run(argc, argv, work);
}
