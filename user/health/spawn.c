/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * vfork(), since an agent that has all maps mapped is dear to copy, and posix_spawn() cannot take capabilities away.
 * The child borrows our memory and stack until it has become another program: it writes nothing but .error, and no
 * handler of ours may run in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "health/spawn.h"

struct child {
	char *const *argv, *const *env;
	int in, out;
	volatile int error; /* what kept it from becoming the program */
};

/* With no new privileges an exec by root gets no more than was permitted before: nothing. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1 && errno != EINVAL)
		return -1;
	return (int)syscall(SYS_capset, &head, none);
}

static int set_descriptors(const struct child *c)
{
	if (dup2(c->in, STDIN_FILENO) == -1 || dup2(c->out, STDOUT_FILENO) == -1 || dup2(c->out, STDERR_FILENO) == -1)
		return -1;
	/* All of ours close by themselves anyway; before 5.9 that has to do. */
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);
	return 0;
}

static void set_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The unit file protects the agent from the OOM killer; its checks are no such treasure. */
static void give_up_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	if (write(fd, "0", 1) == -1)
		errno = 0; /* it stays protected */
	close(fd);
}

static void become(struct child *c)
{
	set_signals();
	give_up_oom_score();
	if (setpgid(0, 0) == 0 && chdir("/") == 0 && set_descriptors(c) == 0 && drop_capabilities() == 0)
		execve(c->argv[0], c->argv, c->env);
	c->error = errno ? errno : EINVAL;
	_exit(127);
}

/* A copy that is not one of the three that the child overwrites. */
static int above_standard(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	return copy == -1 ? -errno : copy;
}

static int run(struct child *c, pid_t *ret_pid)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0)
		become(c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid == -1)
		return -errno;
	if (c->error) {
		waitpid(pid, NULL, 0);
		return -c->error;
	}
	*ret_pid = pid;
	return 0;
}

int spawn(char *const *argv, char *const *env, pid_t *ret_pid, int *ret_out)
{
	_cleanup_(closep) int null = -1, in = -1, from = -1, to = -1, out = -1;
	struct child c = { .argv = argv, .env = env };
	int ends[2], r;

	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null == -1 || pipe2(ends, O_CLOEXEC) == -1)
		return -errno;
	from = ends[0];
	to = ends[1];
	in = above_standard(null);
	out = above_standard(to);
	if (in < 0 || out < 0)
		return in < 0 ? in : out;
	/* Of this end only: the two are different open files. */
	if (fcntl(from, F_SETFL, O_NONBLOCK) == -1)
		return -errno;
	c.in = in;
	c.out = out;
	r = run(&c, ret_pid);
	if (r < 0)
		return r;
	*ret_out = MOVE(from, -1);
	return 0;
}
