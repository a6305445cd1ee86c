/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where measurements happen: a scratch cgroup with one child per variant, network namespaces without a name, instances
 * of weft that carry the run's name. The work is done in a child process, so that the parent tidies up however the
 * child ends.
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plane/plane.h"
#include "stats.h"

#define RIG_BPFFS "/sys/fs/bpf"

struct rig {
	char name[24];	  /* "bench-<pid>": prefix of instances */
	char cgroup[512]; /* the scratch cgroup */
	const char *dir;  /* scratch folder, the caller's */
	const char *weft; /* the binary, or NULL */
	bool quick;
	int failed; /* sticky: something could not be measured */
};

static volatile sig_atomic_t rig_child;

static inline void rig_on_signal(int sig)
{
	if (rig_child > 0)
		kill(-(pid_t)rig_child, sig);
}

static inline int rig_write(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	return n < 0 ? -errno : 0;
}

/* Path of child @word of the scratch cgroup; made when it is not there. */
static inline int rig_cgroup(const struct rig *r, const char *word, char *path, size_t len)
{
	snprintf(path, len, "%s/%s", r->cgroup, word);
	if (mkdir(path, 0755) && errno != EEXIST)
		return log_err(-errno, "cannot make %s", path);
	return 0;
}

/* Moves this process. Sockets made from now on belong to the new cgroup. */
static inline int rig_enter(const char *cgroup)
{
	char path[768];
	int r;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	r = rig_write(path, "0");
	return r ? log_err(r, "cannot enter %s", cgroup) : 0;
}

static inline void rig_remove_cgroup(const char *cgroup)
{
	_cleanup_(freep) char *path = NULL;
	struct dirent *e;
	DIR *d;

	if (asprintf(&path, "%s/cgroup.kill", cgroup) < 0) {
		path = NULL;
		return;
	}
	rig_write(path, "1");
	d = opendir(cgroup);
	while (d && (e = readdir(d))) {
		_cleanup_(freep) char *child = NULL;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (asprintf(&child, "%s/%s", cgroup, e->d_name) < 0)
			child = NULL;
		else
			rig_remove_cgroup(child);
	}
	if (d)
		closedir(d);
	/* Killed processes leave a moment later. */
	for (int i = 0; rmdir(cgroup) && errno == EBUSY && i < 200; i++)
		sleep_ns(10000000);
}

static inline void rig_unload(const struct rig *r)
{
	size_t len = strlen(r->name);
	struct plane_error err;
	struct dirent *e;
	DIR *d = opendir(RIG_BPFFS "/weft");

	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, r->name, len) && e->d_name[len] == '-')
			if (plane_unload(RIG_BPFFS, e->d_name, &err))
				log_msg(LOG_L_WARNING, "%s stays loaded: %s", e->d_name, err.text);
	if (d)
		closedir(d);
}

/* Instance "<name>-<word>" with a cgroup child of its own, @m published, programs attached. */
static inline int rig_plane(const struct rig *r, const char *word, const struct plane_limits *limits,
			    const struct model *m, struct plane **ret)
{
	struct plane_error err = { .text = "" };
	struct plane_change change;
	enum plane_opened how;
	struct plane *p = NULL;
	char instance[64], cgroup[640];
	struct plane_options o = {
		.bpffs = RIG_BPFFS,
		.instance = instance,
		.cgroup = cgroup,
		.lock_dir = r->dir,
		.limits = *limits,
		.callers = true,
	};
	int ret_code = rig_cgroup(r, word, cgroup, sizeof(cgroup));

	if (ret_code)
		return ret_code;
	snprintf(instance, sizeof(instance), "%s-%s", r->name, word);
	ret_code = plane_open(&o, &p, &how, &err);
	if (!ret_code && m)
		ret_code = plane_apply(p, m, &change, &err);
	if (!ret_code)
		ret_code = plane_attach(p, &err);
	if (ret_code) {
		plane_close(p);
		return log_err(ret_code, "%s: %s", instance, err.text);
	}
	*ret = p;
	return 0;
}

/* A network namespace of its own with loopback up. */
static inline int rig_own_netns(void)
{
	_cleanup_(closep) int fd = -1;
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (unshare(CLONE_NEWNET))
		return log_err(-errno, "cannot make a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		return log_err(-errno, "cannot bring loopback up");
	return 0;
}

/* Best effort: a machine with one CPU has nothing to pin to. */
static inline void rig_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline int rig_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static inline int rig_setup(struct rig *r, int argc, char **argv)
{
	char root[256], *quick = getenv("QUICK");
	int err;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: %s FOLDER [WEFT]\n", argv[0]);
		return 2;
	}
	log_init();
	r->dir = argv[1];
	r->weft = argv[2];
	r->quick = quick && quick[0] && strcmp(quick, "0");
	snprintf(r->name, sizeof(r->name), "bench-%d", (int)getpid());
	err = plane_find_cgroup(root, sizeof(root));
	if (err) {
		log_err(err, "no cgroup2 here, nothing can be measured");
		return 77;
	}
	snprintf(r->cgroup, sizeof(r->cgroup), "%s/weft-%s", root, r->name);
	if (mkdir(r->cgroup, 0755)) {
		log_err(-errno, "cannot make %s", r->cgroup);
		return errno == EACCES || errno == EPERM ? 77 : 1;
	}
	return 0;
}

/* Runs @work in a child and removes all that it made. The exit code of the program: 0, 1, 2 or 77 (skipped). */
static inline int rig_run(int argc, char **argv, int (*work)(struct rig *r))
{
	struct sigaction on_signal = { .sa_handler = rig_on_signal };
	struct rig r = { .failed = 0 };
	int code = rig_setup(&r, argc, argv);
	pid_t pid;

	if (code)
		return code;
	sigaction(SIGINT, &on_signal, NULL);
	sigaction(SIGTERM, &on_signal, NULL);
	sigaction(SIGHUP, &on_signal, NULL);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		code = work(&r);
		fflush(stdout);
		_exit(code || r.failed ? 1 : 0);
	}
	rig_child = pid;
	code = pid < 0 ? 1 : rig_wait(pid);
	rig_unload(&r);
	rig_remove_cgroup(r.cgroup);
	return code;
}

#endif
