/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"

#define BPFFS	 "/sys/fs/bpf"
#define LOCK_DIR "/run/weft"

struct mesh mesh;
static char run_name[64]; /* "test-<suite>-<pid>" */
static char cgroup_root[200];
static pid_t servers[8];
static size_t nr_servers;

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void write_file(const char *dir, const char *file, const char *text)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

void mesh_join(const struct mesh *m)
{
	cgroup_join(m->cgroup);
}

static void sweep_cgroups(const char *dir, const char *prefix);

/* Kills what is still inside, and removes the folder with what a test made in it. */
static void cgroup_remove(const char *path)
{
	sweep_cgroups(path, "weft-test-");
	for (int i = 0; i < 400; i++) {
		write_file(path, "cgroup.kill", "1");
		if (!rmdir(path) || errno == ENOENT)
			return;
		usleep(5000);
	}
	fprintf(stderr, "harness: cannot remove %s: %s\n", path, strerror(errno));
}

void mesh_up(struct mesh *m, const char *tag, const struct mesh *parent)
{
	struct plane_options o = { .bpffs = BPFFS,
				   .instance = m->name,
				   .cgroup = m->cgroup,
				   .lock_dir = LOCK_DIR,
				   .limits = { .services = 512,
					       .frontends = 1024,
					       .specs = 8192,
					       .backends = 8192,
					       .slots = 1 << 20,
					       .affinity = 4096,
					       .edges = 8192 } };
	enum plane_opened how;
	struct plane_error err = {};
	int r;

	*m = (struct mesh){ .owner = getpid() };
	snprintf(m->name, sizeof(m->name), "%s%s%s", run_name, *tag ? "-" : "", tag);
	r = snprintf(m->cgroup, sizeof(m->cgroup), "%s/weft-%s", parent ? parent->cgroup : cgroup_root, m->name);
	ck_assert_int_lt(r, (int)sizeof(m->cgroup));
	ck_assert_msg(!mkdir(m->cgroup, 0755), "mkdir %s: %s", m->cgroup, strerror(errno));
	r = plane_open(&o, &m->plane, &how, &err);
	ck_assert_msg(!r, "plane_open: %d: %s", r, err.text);
	ck_assert_int_eq(how, PLANE_CREATED);
	r = plane_attach(m->plane, &err);
	ck_assert_msg(!r, "plane_attach: %d: %s", r, err.text);
	m->maps = plane_maps(m->plane);
	m->wanted = model_new();
}

void mesh_down(struct mesh *m)
{
	struct plane_error err = {};

	if (m->owner != getpid())
		return;
	m->owner = 0;
	leave_cgroup();
	model_free(MOVE(m->wanted, NULL));
	plane_close(MOVE(m->plane, NULL));
	plane_unload(BPFFS, m->name, &err);
	cgroup_remove(m->cgroup);
}

void mesh_workload(const struct mesh *m, const char *name, char *path, size_t len)
{
	snprintf(path, len, "%s/weft-test-%s", m->cgroup, name);
	ck_assert_msg(!mkdir(path, 0755), "mkdir %s: %s", path, strerror(errno));
}

void cgroup_join(const char *path)
{
	write_file(path, "cgroup.procs", "0");
}

static void sweep_cgroups(const char *dir, const char *prefix)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		cgroup_remove(path);
	}
	if (d)
		closedir(d);
}

/* A server of a test that failed may still be dying, and holds the lock that it inherited. */
static void sweep_instance(const char *instance)
{
	struct plane_error err;
	int r = -EBUSY;

	for (int i = 0; i < 400 && r == -EBUSY; i++) {
		r = plane_unload(BPFFS, instance, &err);
		if (r == -EBUSY)
			usleep(5000);
	}
	if (r && r != -ENOENT)
		fprintf(stderr, "harness: cannot unload %s: %s\n", instance, err.text);
}

static void sweep(void)
{
	char prefix[80];
	struct dirent *e;
	DIR *d;

	snprintf(prefix, sizeof(prefix), "weft-%s", run_name);
	sweep_cgroups(cgroup_root, prefix);
	d = opendir(BPFFS "/weft");
	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, run_name, strlen(run_name)))
			sweep_instance(e->d_name);
	if (d)
		closedir(d);
	d = opendir(LOCK_DIR);
	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, run_name, strlen(run_name)))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

static void teardown(void)
{
	/* Only the servers that this very process started: children inherit the list. */
	if (mesh.owner == getpid())
		while (nr_servers)
			server_stop(servers[--nr_servers]);
	mesh_down(&mesh);
}

static void setup(void)
{
	const struct rlimit files = { 65536, 65536 };

	setrlimit(RLIMIT_NOFILE, &files);
	ck_assert_int_eq(wire_namespace(), 0);
	signal(SIGPIPE, SIG_IGN);
	/* A failed assertion ends the process at once: the next test, or suite_main(), cleans up behind it. */
	sweep();
	mesh_up(&mesh, "", NULL);
	mesh_join(&mesh);
	mark(&mesh);
}

TCase *suite_case(Suite *s, const char *name, double timeout_s)
{
	TCase *c = tcase_create(name);

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, timeout_s);
	suite_add_tcase(s, c);
	return c;
}

static pid_t runner;

static void pass_on(int sig)
{
	if (runner > 0)
		kill(runner, sig);
}

int suite_main(const char *name, Suite *(*make)(void))
{
	int status = 0;

	if (geteuid() != 0) {
		fprintf(stderr, "SKIP %s: needs root to load BPF programs\n", name);
		return 77;
	}
	if (plane_find_cgroup(cgroup_root, sizeof(cgroup_root))) {
		fprintf(stderr, "SKIP %s: no cgroup2 mounted on this machine\n", name);
		return 77;
	}
	snprintf(run_name, sizeof(run_name), "test-%s-%d", name, (int)getpid());
	runner = fork();
	if (runner == 0) {
		SRunner *sr = srunner_create(make());

		/* Check answers a signal with one to its whole group, which must not be the caller's. */
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		/* A process for each test whatever the environment says: cgroups and namespaces belong to processes. */
		srunner_set_fork_status(sr, CK_FORK);
		srunner_run_all(sr, CK_NORMAL);
		status = srunner_ntests_failed(sr);
		srunner_free(sr);
		exit(status ? 1 : 0);
	}
	signal(SIGINT, pass_on);
	signal(SIGTERM, pass_on);
	signal(SIGHUP, pass_on);
	while (waitpid(runner, &status, 0) < 0 && errno == EINTR)
		continue;
	sweep();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

struct service *given_service(struct mesh *m, const char *name, uint8_t proto, const char *vip, uint16_t port,
			      enum weft_lb lb)
{
	struct service *s = service_new(name);

	ck_assert_ptr_nonnull(s);
	s->proto = proto;
	s->lb = (uint8_t)lb;
	given_frontend(s, vip, port);
	ck_assert_int_eq(model_add(m->wanted, s), 0);
	service_unref(s); /* the model has its own */
	return s;
}

static void parse(const char *ip, struct weft_addr *ret)
{
	ck_assert_msg(addr_parse(ip, ret) == 0, "%s is no address", ip);
}

void given_frontend(struct service *s, const char *vip, uint16_t port)
{
	struct frontend f = { .port = port };

	parse(vip, &f.addr);
	ck_assert_int_eq(service_add_frontend(s, &f), 0);
}

void given_weighted(struct service *s, const char *ip, uint16_t port, uint16_t weight)
{
	struct endpoint e = { .port = port, .weight = weight };

	parse(ip, &e.addr);
	ck_assert_int_eq(service_add_endpoint(s, &e), 0);
}

void given_endpoint(struct service *s, const char *ip, uint16_t port)
{
	given_weighted(s, ip, port, 1);
}

struct plane_change publish_all(struct mesh *m)
{
	_cleanup_(model_freep) struct model *wanted = MOVE(m->wanted, model_new());
	const struct service *first, *second;
	const struct frontend *frontend;
	struct plane_change change = {};
	struct plane_error err = {};
	int r;

	for (size_t i = 0; i < wanted->nr; i++)
		ck_assert_int_eq(service_sort(wanted->services[i]), -1);
	ck_assert_int_eq(model_seal(wanted, &first, &second, &frontend), 0);
	r = plane_apply(m->plane, wanted, &change, &err);
	ck_assert_msg(!r, "plane_apply: %d: %s", r, err.text);
	return change;
}

static void keep_server(pid_t pid)
{
	ck_assert_int_gt(pid, 0);
	ck_assert_uint_lt(nr_servers, sizeof(servers) / sizeof(servers[0]));
	servers[nr_servers++] = pid;
}

void given_servers(const struct listener *l, size_t n)
{
	keep_server(server_start(l, n, NULL, NULL));
}

void given_line(const struct wire_line *line)
{
	keep_server(wire_line(line));
}
