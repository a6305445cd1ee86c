/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * connect() when endpoints fail, with plain connects beside; and what resilience costs when nothing fails: connects
 * with it on and off, and requests on links with its programs and without any.
 */
#include <poll.h>

#include "progstats.h"
#include "resilience_world.h"

#define AT_ONCE 200

struct bench {
	struct flow_world world;
	struct samples samples;
	uint64_t duration;
	bool quick;
};

/* ---- connects that meet failing endpoints ---- */

struct outcome {
	struct series p50, p99, worst;
	uint64_t done, wrong;
};

static struct sockaddr_in vip_addr(uint32_t vip)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(VIP_PORT) };

	to.sin_addr.s_addr = htonl(VIP_BASE + vip);
	return to;
}

static struct sockaddr_in end_addr(enum place place, enum end e)
{
	struct endpoint ep = end_of(place, e);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(ep.port) };

	memcpy(&to.sin_addr, ep.addr.byte + 12, 4);
	return to;
}

/* One connect(), closed by a reset so that no port waits. Its errno, 0 when it came to stand. */
static int connect_once(const struct sockaddr_in *to, struct samples *s)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct linger hard = { .l_onoff = 1 };
	uint64_t begin;
	int r;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	begin = now_ns();
	r = connect(fd, (const struct sockaddr *)to, sizeof(*to)) ? errno : 0;
	samples_add(s, now_ns() - begin);
	return r;
}

static void outcome_add(struct outcome *o, struct samples *s)
{
	samples_sort(s);
	series_add(&o->p50, samples_at(s, 0.5) / 1e6);
	series_add(&o->p99, samples_at(s, 0.99) / 1e6);
	series_add(&o->worst, samples_at(s, 1) / 1e6);
}

static void run_turn(struct bench *b, const struct sockaddr_in *to, int expected, unsigned most, struct outcome *o)
{
	uint64_t begin = now_ns();

	b->samples.nr = 0;
	for (unsigned i = 0; i < most && now_ns() - begin < 4 * b->duration; i++) {
		o->wrong += connect_once(to, &b->samples) != expected;
		o->done++;
	}
	outcome_add(o, &b->samples);
}

static void report_outcome(enum place place, const char *name, const char *variant, const struct outcome *o,
			   const char *bar)
{
	char row[192];

	snprintf(row, sizeof(row), "%s: %s: %s", place_words[place], name, variant);
	report("failover", row, "p50", "ms", &o->p50, bar);
	report("failover", row, "p99", "ms", &o->p99, "");
	report("failover", row, "max", "ms", &o->worst, "");
	report_one("failover", row, "connects", "", (double)o->done, "");
	report_one("failover", row, "not as expected", "", (double)o->wrong, "");
}

static int run_case(struct bench *b, enum place place, size_t i)
{
	const struct case_row *c = &case_rows[i];
	struct outcome plain = {}, weft = {};
	/* Beside each: a plain connect to the working endpoint, or to the first when there is none. */
	struct sockaddr_in direct = end_addr(place, c->expected ? c->ends[0] : GOOD);
	struct sockaddr_in vip = vip_addr(case_vip(place, i));
	bool plain_hangs = c->expected == ETIMEDOUT;
	int r;

	for (unsigned round = 0; round < (b->quick ? 3 : 9); round++) {
		unsigned most = c->expected == ETIMEDOUT ? 5 : 500;

		r = rig_enter(b->world.plain);
		if (!r && !plain_hangs)
			run_turn(b, &direct, c->expected, most, &plain);
		if (!r)
			r = rig_enter(b->world.weft);
		if (r)
			return r;
		/* With ejection on, what pays is left out: the first connects of each turn. */
		for (unsigned k = 0; c->ejects && k < 8; k++)
			connect_once(&vip, &b->samples);
		run_turn(b, &vip, c->expected, most, &weft);
	}
	if (!plain_hangs)
		report_outcome(place, c->name, "plain connect()", &plain, "");
	report_outcome(place, c->name, "weft", &weft, c->bar);
	return 0;
}

/* Many at once, of one process: how long until all stand. */
static int connect_many(const struct sockaddr_in *to, struct samples *s, uint64_t *wrong)
{
	struct linger hard = { .l_onoff = 1 };
	struct pollfd fds[AT_ONCE];
	uint64_t begin[AT_ONCE];
	unsigned left = 0;

	for (unsigned i = 0; i < AT_ONCE; i++) {
		fds[i] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
					  .events = POLLOUT };
		if (fds[i].fd < 0)
			return -errno;
		setsockopt(fds[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		begin[i] = now_ns();
		if (connect(fds[i].fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
			(*wrong)++;
		left++;
	}
	for (uint64_t end = now_ns() + 5000000000ull; left && now_ns() < end;) {
		poll(fds, AT_ONCE, 100);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			int error = 0;
			socklen_t len = sizeof(error);

			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			samples_add(s, now_ns() - begin[i]);
			getsockopt(fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &len);
			*wrong += error != 0;
			close(fds[i].fd);
			fds[i].fd = -1;
			left--;
		}
	}
	*wrong += left;
	for (unsigned i = 0; i < AT_ONCE; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	return 0;
}

static int run_many(struct bench *b, enum place place)
{
	struct outcome plain = {}, weft = {};
	struct sockaddr_in direct = end_addr(place, GOOD), vip = vip_addr(case_vip(place, 1));

	for (unsigned round = 0; round < (b->quick ? 3 : 9); round++)
		for (int in_weft = 0; in_weft < 2; in_weft++) {
			struct outcome *o = in_weft ? &weft : &plain;
			int r = rig_enter(in_weft ? b->world.weft : b->world.plain);

			b->samples.nr = 0;
			if (!r)
				r = connect_many(in_weft ? &vip : &direct, &b->samples, &o->wrong);
			if (r)
				return r;
			o->done += AT_ONCE;
			outcome_add(o, &b->samples);
		}
	report_outcome(place, "200 at once, the first refuses", "plain connect()", &plain, "");
	report_outcome(place, "200 at once, the first refuses", "weft", &weft, "");
	return 0;
}

/* ---- what it costs when nothing fails ---- */

enum { VARIANT_PLAIN = FEATURES, VARIANTS };

static int cost_connects(struct bench *b, enum place place)
{
	struct series rate[VARIANTS] = {}, p50[VARIANTS] = {}, p99[VARIANTS] = {};
	char row[160];

	for (unsigned round = 0; round < (b->quick ? 7 : 21); round++)
		for (unsigned turn = 0; turn < VARIANTS; turn++) {
			unsigned v = (turn + round) % VARIANTS;
			struct sockaddr_in to = v == VARIANT_PLAIN ? end_addr(place, GOOD)
								   : vip_addr(feature_vip(place, (enum feature)v));
			struct flow_result res;
			int r = rig_enter(v == VARIANT_PLAIN ? b->world.plain : b->world.weft);

			if (!r)
				r = client_crr(&to, 64, b->duration, &b->samples, &res);
			if (r)
				return log_err(r, "%s, variant %u", place_words[place], v);
			samples_sort(&b->samples);
			series_add(&rate[v], (double)res.requests * 1e9 / (double)res.ns);
			series_add(&p50[v], samples_at(&b->samples, 0.5) / 1e3);
			series_add(&p99[v], samples_at(&b->samples, 0.99) / 1e3);
		}
	for (unsigned v = 0; v < VARIANTS; v++) {
		struct series off = series_ratio(&p50[v], &p50[ALL_OFF]);
		struct series fast = series_ratio(&rate[v], &rate[ALL_OFF]);

		snprintf(row, sizeof(row), "%s: connect, 64 B, close: %s", place_words[place],
			 v == VARIANT_PLAIN ? "plain, no service" : feature_words[v]);
		report("resilience", row, "rate", "1/s", &rate[v], "");
		report("resilience", row, "rate / off", "x", &fast, "");
		report("resilience", row, "p50", "us", &p50[v], "");
		report("resilience", row, "p50 / off", "x", &off, "");
		report("resilience", row, "p99", "us", &p99[v], "");
	}
	return 0;
}

/* Requests on one plain connection, on links with the programs and without. */
static int cost_packets(struct bench *b, enum place place)
{
	struct series rate[2] = {}, p50[2] = {}, ratio;
	struct sockaddr_in to = end_addr(place, GOOD);
	int r = rig_enter(b->world.plain);

	/* On the server's CPU: waking another one takes longer, and less steadily, than all that is measured here. */
	rig_pin(1);
	for (unsigned round = 0; !r && round < (b->quick ? 7 : 21); round++)
		for (unsigned turn = 0; !r && turn < 2; turn++) {
			bool on = (turn + round) % 2;
			struct flow_result res;

			r = resilience_links(&b->world, on);
			if (!r)
				r = client_requests(&to, 64, b->duration, &b->samples, &res);
			if (r)
				break;
			samples_sort(&b->samples);
			series_add(&rate[on], (double)res.requests * 1e9 / (double)res.ns);
			series_add(&p50[on], samples_at(&b->samples, 0.5) / 1e3);
		}
	rig_pin(0);
	ratio = series_ratio(&rate[1], &rate[0]);
	for (int on = 0; !r && on < 2; on++) {
		char row[160];

		snprintf(row, sizeof(row), "%s: request/response 64 B, plain: %s", place_words[place],
			 on ? "failover programs on the link" : "no program on the link");
		report("resilience", row, "rate", "1/s", &rate[on], "");
		if (on)
			report("resilience", row, "rate / no program", "x", &ratio, ">= 0.99");
		report("resilience", row, "p50", "us", &p50[on], "");
	}
	return r ? r : resilience_links(&b->world, true);
}

/* Ids of the programs on link "near", opened. */
static int links_programs(const struct plane *p, int ret_fd[2])
{
	_cleanup_(freep) struct plane_tc *tc = NULL;
	size_t nr;
	int r = plane_tc_list(plane_maps(p)->dir, &tc, &nr);

	for (size_t i = 0; !r && i < nr; i++)
		if (!strcmp(tc[i].name, "near")) {
			ret_fd[0] = bpf_prog_get_fd_by_id(tc[i].egress);
			ret_fd[1] = bpf_prog_get_fd_by_id(tc[i].ingress);
			return ret_fd[0] < 0 || ret_fd[1] < 0 ? -ENOENT : 0;
		}
	return r ? r : -ENOENT;
}

static void program_read(int fd, uint64_t *ns, uint64_t *runs)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	bpf_obj_get_info_by_fd(fd, &info, &len);
	*ns = info.run_time_ns;
	*runs = info.run_cnt;
}

/* What one run of each program takes, for packets of a connection that did not fail over. */
static int cost_programs(struct bench *b)
{
	static const char *const words[2] = { "egress program", "ingress program" };
	int fd[2] = { -1, -1 }, stats, r = links_programs(b->world.plane, fd);
	struct sockaddr_in to = end_addr(ACROSS, GOOD);
	struct series ns[2] = {};

	if (r)
		return log_err(r, "cannot find the programs on the link");
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	for (unsigned round = 0; !r && round < (b->quick ? 5 : 15); round++) {
		uint64_t t[2], n[2], t2, n2;
		struct flow_result res;

		for (int i = 0; i < 2; i++)
			program_read(fd[i], &t[i], &n[i]);
		r = client_requests(&to, 64, b->duration, &b->samples, &res);
		for (int i = 0; !r && i < 2; i++) {
			program_read(fd[i], &t2, &n2);
			if (n2 > n[i])
				series_add(&ns[i], (double)(t2 - t[i]) / (double)(n2 - n[i]));
		}
	}
	for (int i = 0; i < 2; i++) {
		report("resilience", "two hosts, veth: a packet of a connection that did not fail over", words[i],
		       "ns, with two clock reads", &ns[i], "");
		close(fd[i]);
	}
	if (stats >= 0)
		close(stats);
	return r;
}

static int work(struct rig *rig)
{
	_cleanup_(closep) int near = -1;
	_cleanup_(closep) int far = -1;
	static struct bench b;
	int r;

	b.world.rig = rig;
	b.quick = rig->quick;
	b.duration = rig->quick ? 100000000u : 200000000u;
	if (samples_init(&b.samples, 1u << 18))
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN);
	rig_pin(0);
	r = flow_world_setup_far(&b.world, &far);
	near = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (!r)
		r = silent_net(far, near);
	if (!r)
		r = resilience_publish(&b.world);
	if (!r)
		r = resilience_links(&b.world, true);
	for (int place = 0; !r && place < PLACES; place++) {
		fprintf(stderr, "  %s\n", place_words[place]);
		for (size_t i = 0; !r && i < NR_CASES; i++)
			if (place == ACROSS || (case_rows[i].ends[0] != SILENT))
				r = run_case(&b, (enum place)place, i);
		if (!r)
			r = run_many(&b, (enum place)place);
		if (!r)
			r = cost_connects(&b, (enum place)place);
		if (!r)
			r = cost_packets(&b, (enum place)place);
	}
	if (!r)
		r = cost_programs(&b);
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
