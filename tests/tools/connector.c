/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * connector --to ADDR:PORT [--count N | --seconds S] [--threads T] [--udp] [--think-ms N] [--json]: connects, reads the
 * first line (UDP: asks and reads the answer), closes, again and again. Prints who answered how often, failures by
 * errno, and how long connect() took. SIGINT and SIGTERM end it early, with the same report. Exit 0: no failure; 1:
 * some; 2: usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SEEN  1024
#define MAX_ERRNO 256

struct seen {
	char who[64];
	uint64_t n;
};

struct worker {
	pthread_t thread;
	struct seen seen[MAX_SEEN];
	size_t nr_seen;
	uint64_t failed[MAX_ERRNO];
	uint32_t *us; /* of each connect() that succeeded */
	size_t nr_us, size_us;
};

static struct sockaddr_storage target;
static socklen_t target_len;
static unsigned long count = 1, seconds, nr_threads = 1, think_ms;
static bool udp, json;
static const char *to_text;
static uint64_t taken, deadline_ns;
static volatile sig_atomic_t ended;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static bool parse(const char *text)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;
	const char *colon = strrchr(text, ':');
	unsigned long port;
	char host[64], *end;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || !port || port > 65535)
		return false;
	if (text[0] == '[' && colon[-1] == ']') {
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text - 2), text + 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		target_len = sizeof(*v6);
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	target_len = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static void remember(struct worker *w, const char *who)
{
	size_t i;

	for (i = 0; i < w->nr_seen; i++)
		if (!strcmp(w->seen[i].who, who))
			break;
	if (i == MAX_SEEN)
		return;
	if (i == w->nr_seen)
		snprintf(w->seen[w->nr_seen++].who, sizeof(w->seen[i].who), "%s", who);
	w->seen[i].n++;
}

static void remember_us(struct worker *w, uint64_t ns)
{
	if (w->nr_us == w->size_us) {
		size_t size = w->size_us ? 2 * w->size_us : 1024;
		uint32_t *us = realloc(w->us, size * sizeof(*us));

		if (!us)
			return;
		w->us = us;
		w->size_us = size;
	}
	w->us[w->nr_us++] = (uint32_t)(ns / 1000);
}

/* 0 with the answer in @who, or a positive errno. */
static int ask(int fd, char *who, size_t size)
{
	size_t n = 0;
	ssize_t r;

	if (udp) {
		if (send(fd, "who", 3, 0) < 0)
			return errno;
		r = recv(fd, who, size - 1, 0);
		if (r < 0)
			return errno;
		who[r] = '\0';
		return 0;
	}
	while (n < size - 1) {
		r = recv(fd, who + n, 1, 0);
		if (r <= 0)
			return r ? errno : EPIPE;
		if (who[n] == '\n')
			break;
		n++;
	}
	who[n] = '\0';
	return 0;
}

static int connect_once(struct worker *w)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	const struct timeval patience = { .tv_sec = 10 };
	char who[64];
	uint64_t start;
	int fd, e = 0;

	fd = socket(target.ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	start = now_ns();
	if (connect(fd, (struct sockaddr *)&target, target_len)) {
		e = errno;
	} else {
		remember_us(w, now_ns() - start);
		e = ask(fd, who, sizeof(who));
		if (!e)
			remember(w, who);
	}
	/* A reset keeps the ports of a long run from waiting in TIME_WAIT. */
	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	return e;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!ended) {
		int e;

		if (seconds ? now_ns() >= deadline_ns : __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED) >= count)
			break;
		e = connect_once(w);
		if (e)
			w->failed[e < MAX_ERRNO ? e : 0]++;
		if (think_ms)
			usleep((useconds_t)think_ms * 1000);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->who, ((const struct seen *)b)->who);
}

/* Into the first worker. */
static void sum_up(struct worker *w)
{
	for (unsigned long i = 1; i < nr_threads; i++) {
		for (size_t k = 0; k < w[i].nr_seen; k++) {
			remember(w, w[i].seen[k].who);
			for (size_t j = 0; j < w->nr_seen; j++)
				if (!strcmp(w->seen[j].who, w[i].seen[k].who))
					w->seen[j].n += w[i].seen[k].n - 1;
		}
		for (int e = 0; e < MAX_ERRNO; e++)
			w->failed[e] += w[i].failed[e];
		for (size_t k = 0; k < w[i].nr_us; k++)
			remember_us(w, (uint64_t)w[i].us[k] * 1000);
		free(w[i].us);
	}
	qsort(w->seen, w->nr_seen, sizeof(w->seen[0]), by_name);
	if (w->nr_us)
		qsort(w->us, w->nr_us, sizeof(w->us[0]), by_value);
}

static uint32_t quantile(const struct worker *w, unsigned percent)
{
	return w->nr_us ? w->us[(w->nr_us - 1) * percent / 100] : 0;
}

static uint64_t report(const struct worker *w, double took)
{
	uint64_t ok = 0, failed = 0;
	const char *comma = "";

	for (size_t i = 0; i < w->nr_seen; i++)
		ok += w->seen[i].n;
	for (int e = 0; e < MAX_ERRNO; e++)
		failed += w->failed[e];
	printf(json ? "{\"to\":\"%s\",\"ok\":%llu,\"failed\":%llu,\"seconds\":%.3f,\"answered\":{"
		    : "to %s: %llu answered, %llu failed, %.3f s\n",
	       to_text, (unsigned long long)ok, (unsigned long long)failed, took);
	for (size_t i = 0; i < w->nr_seen; i++, comma = ",")
		printf(json ? "%s\"%s\":%llu" : "%s%-24s %llu\n", json ? comma : "  ", w->seen[i].who,
		       (unsigned long long)w->seen[i].n);
	if (json)
		printf("},\"errors\":{");
	comma = "";
	for (int e = 0; e < MAX_ERRNO; e++) {
		if (!w->failed[e])
			continue;
		printf(json ? "%s\"%s\":%llu" : "%sfailed %-17s %llu\n", json ? comma : "  ",
		       e ? strerrorname_np(e) : "other", (unsigned long long)w->failed[e]);
		comma = ",";
	}
	printf(json ? "},\"connect_us\":{\"p50\":%u,\"p99\":%u,\"max\":%u}}\n"
		    : "  connect us: p50 %u, p99 %u, max %u\n",
	       quantile(w, 50), quantile(w, 99), quantile(w, 100));
	return failed;
}

static void end_early(int sig)
{
	(void)sig;
	ended = 1;
}

static int usage(void)
{
	fprintf(stderr, "usage: connector --to ADDR:PORT [--count N | --seconds S] [--threads T] [--udp] [--think-ms "
			"N] [--json]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", required_argument, NULL, 'a' },	     { "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' }, { "threads", required_argument, NULL, 't' },
		{ "udp", no_argument, NULL, 'u' },	     { "think-ms", required_argument, NULL, 'w' },
		{ "json", no_argument, NULL, 'j' },	     {},
	};
	const struct sigaction early = { .sa_handler = end_early };
	struct worker *w;
	uint64_t start;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			to_text = optarg;
			break;
		case 'n':
			count = strtoul(optarg, NULL, 10);
			break;
		case 's':
			seconds = strtoul(optarg, NULL, 10);
			break;
		case 't':
			nr_threads = strtoul(optarg, NULL, 10);
			break;
		case 'u':
			udp = true;
			break;
		case 'w':
			think_ms = strtoul(optarg, NULL, 10);
			break;
		case 'j':
			json = true;
			break;
		default:
			return usage();
		}
	}
	if (!to_text || !parse(to_text) || optind != argc || !nr_threads || nr_threads > 1024)
		return usage();
	w = calloc(nr_threads, sizeof(*w));
	if (!w)
		return 1;
	sigaction(SIGINT, &early, NULL);
	sigaction(SIGTERM, &early, NULL);
	start = now_ns();
	deadline_ns = start + seconds * 1000000000ull;
	for (unsigned long i = 0; i < nr_threads; i++)
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			return 1;
	for (unsigned long i = 0; i < nr_threads; i++)
		pthread_join(w[i].thread, NULL);
	sum_up(w);
	return report(w, (double)(now_ns() - start) / 1e9) ? 1 : 0;
}
