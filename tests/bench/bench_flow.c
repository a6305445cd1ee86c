/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What traffic through a service costs against the same traffic sent to the endpoint directly: request/response, bulk,
 * and short connections, over loopback and between two network namespaces. In each round the variants follow each
 * other.
 */
#include "flow_world.h"

enum variant { DIRECT, PASSED, SERVICE, VARIANTS };
static const char *const variant_words[VARIANTS] = { "direct", "direct, weft attached", "through a service" };

struct load {
	const char *name;
	size_t size;
	int (*run)(const struct sockaddr_in *to, size_t size, uint64_t duration, struct samples *s,
		   struct flow_result *ret);
	bool bulk;
};
static const struct load loads[] = {
	{ "request/response 64 B", 64, client_requests, false },
	{ "request/response 1 KiB", 1024, client_requests, false },
	{ "bulk, writes of 64 KiB", 65536, client_bulk, true },
	{ "connect, 64 B request, response, close", 64, client_crr, false },
};
#define NR_LOADS (sizeof(loads) / sizeof(loads[0]))

struct cell {
	struct series rate, p50, p99, worst, cpu, softirq;
};

struct bench {
	struct flow_world world;
	struct cell cell[PLACES][NR_LOADS][VARIANTS];
	struct samples samples;
	uint64_t duration;
};

static struct sockaddr_in target(enum place place, enum variant variant)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (variant == SERVICE) {
		to.sin_addr.s_addr = htonl(VIP_BASE + (place == LOOPBACK));
		to.sin_port = htons(VIP_PORT);
		return to;
	}
	to.sin_port = htons(variant == DIRECT ? PORT_PLAIN : PORT_WEFT);
	if (place == LOOPBACK)
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		inet_pton(AF_INET, FAR_ADDR, &to.sin_addr);
	return to;
}

/* Ticks of softirq time on all CPUs; coarse, and the whole machine's. */
static uint64_t softirq_ns(void)
{
	unsigned long long user, nice, sys, idle, iowait, irq, softirq;
	_cleanup_(fclosep) FILE *f = fopen("/proc/stat", "re");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle, &iowait, &irq,
			 &softirq) != 7)
		return 0;
	return softirq * (1000000000u / (unsigned)sysconf(_SC_CLK_TCK));
}

static int run_cell(struct bench *b, enum place place, size_t load, enum variant variant)
{
	struct cell *c = &b->cell[place][load][variant];
	struct sockaddr_in to = target(place, variant);
	pid_t server = b->world.server[place][variant != DIRECT];
	struct flow_result res;
	uint64_t cpu, softirq;
	int r = rig_enter(variant == DIRECT ? b->world.plain : b->world.weft);

	if (r)
		return r;
	cpu = cpu_ns() + cpu_of(server);
	softirq = softirq_ns();
	r = loads[load].run(&to, loads[load].size, b->duration, &b->samples, &res);
	if (r)
		return log_err(r, "%s, %s, %s", place_words[place], loads[load].name, variant_words[variant]);
	cpu = cpu_ns() + cpu_of(server) - cpu;
	softirq = softirq_ns() - softirq;
	samples_sort(&b->samples);
	if (loads[load].bulk)
		series_add(&c->rate, (double)res.bytes * 8 / (double)res.ns);
	else
		series_add(&c->rate, (double)res.requests * 1e9 / (double)res.ns);
	series_add(&c->p50, samples_at(&b->samples, 0.5) / 1e3);
	series_add(&c->p99, samples_at(&b->samples, 0.99) / 1e3);
	series_add(&c->worst, samples_at(&b->samples, 1) / 1e3);
	series_add(&c->cpu, (double)cpu / 1e3 / (double)res.requests);
	series_add(&c->softirq, (double)softirq / 1e3 / (double)res.requests);
	return 0;
}

static int run_rounds(struct bench *b, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		if (round % 8 == 0)
			fprintf(stderr, "  round %u of %u\n", round + 1, rounds);
		for (int place = 0; place < PLACES; place++)
			for (size_t load = 0; load < NR_LOADS; load++)
				for (unsigned v = 0; v < VARIANTS; v++) {
					int r = run_cell(b, (enum place)place, load,
							 (enum variant)((v + round) % VARIANTS));

					if (r)
						return r;
				}
	}
	return 0;
}

static void print_cell(const struct bench *b, int place, size_t load, int variant)
{
	const struct cell *c = &b->cell[place][load][variant], *direct = &b->cell[place][load][DIRECT];
	/* The bar of 0.99 is for what flows on a connection; a short connection is mostly connect(). */
	const char *bar = variant == SERVICE && loads[load].run != client_crr ? ">= 0.99" : "";
	struct series ratio = series_ratio(&c->rate, &direct->rate), cpu_ratio = series_ratio(&c->cpu, &direct->cpu);
	struct series p50_ratio = series_ratio(&c->p50, &direct->p50);
	char row[128];

	snprintf(row, sizeof(row), "%s: %s: %s", place_words[place], loads[load].name, variant_words[variant]);
	report("flow", row, "rate", loads[load].bulk ? "Gbit/s" : "1/s", &c->rate, "");
	report("flow", row, "rate / direct", "x", &ratio, bar);
	report("flow", row, "p50", "us", &c->p50, "");
	report("flow", row, "p50 / direct", "x", &p50_ratio, "");
	report("flow", row, "p99", "us", &c->p99, "");
	report("flow", row, "max", "us", &c->worst, "");
	report("flow", row, "CPU per request, both ends", "us", &c->cpu, "");
	report("flow", row, "CPU / direct", "x", &cpu_ratio, "");
	report("flow", row, "softirq per request, whole machine", "us", &c->softirq, "");
}

static int work(struct rig *rig)
{
	static struct bench b;
	int r;

	b.world.rig = rig;
	/* Many short turns: what disturbs a shared machine lasts longer than one and so meets all variants. */
	b.duration = rig->quick ? 100000000u : 200000000u;
	if (samples_init(&b.samples, 1u << 18))
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN);
	rig_pin(0);
	r = flow_world_setup(&b.world);
	if (!r)
		r = run_rounds(&b, rig->quick ? 7 : 31);
	for (int place = 0; !r && place < PLACES; place++)
		for (size_t load = 0; load < NR_LOADS; load++)
			for (int v = 0; v < VARIANTS; v++)
				print_cell(&b, place, load, v);
	for (int place = 0; place < PLACES; place++)
		for (int i = 0; i < 2; i++)
			if (b.world.server[place][i] > 0)
				kill(b.world.server[place][i], SIGKILL);
	plane_close(b.world.plane);
	return r;
}

int main(int argc, char **argv)
{
	return rig_run(argc, argv, work);
}
