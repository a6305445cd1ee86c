/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A command, without a shell, in a process group of its own: when its time is over, or when it ended and left others
 * behind, the whole group is killed. Its end is seen through a pidfd, so nobody else's children are waited for. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "health/probe.h"
#include "health/spawn.h"

struct exec_probe {
	struct probe p;
	uv_poll_t end, output;
	uv_timer_t timer;
	pid_t pid;
	int pidfd, out;
	unsigned closing;
	bool told;
	size_t len;
	char text[HEALTH_TEXT_LEN]; /* what it wrote first */
};

static void on_closed(uv_handle_t *handle)
{
	struct exec_probe *x = handle->data;

	if (--x->closing)
		return;
	close(x->pidfd);
	close(x->out);
	probe_free(&x->p);
}

static void close_all(struct exec_probe *x)
{
	x->closing = 3;
	uv_close((uv_handle_t *)&x->end, on_closed);
	uv_close((uv_handle_t *)&x->output, on_closed);
	uv_close((uv_handle_t *)&x->timer, on_closed);
}

/* Keeps the beginning and drops the rest; who writes must not be held up. */
static void on_output(uv_poll_t *poll, int status, int events)
{
	struct exec_probe *x = poll->data;
	char data[4096];
	ssize_t n = read(x->out, data, sizeof(data));
	size_t room = sizeof(x->text) - 1 - x->len, take;

	if (n > 0) {
		take = (size_t)n < room ? (size_t)n : room;
		memcpy(x->text + x->len, data, take);
		x->len += take;
		return;
	}
	if (n == 0 || errno != EAGAIN)
		uv_poll_stop(&x->output);
}

static void tell(struct exec_probe *x, int status)
{
	char line[HEALTH_TEXT_LEN];

	for (size_t i = 0; i < x->len; i++) /* a byte 0 ends no line */
		if (!x->text[i])
			x->text[i] = '?';
	probe_text(x->text, line, sizeof(line));
	if (WIFSIGNALED(status))
		probe_done(&x->p, false, "killed by signal %d%s%s", WTERMSIG(status), *line ? ": " : "", line);
	else
		probe_done(&x->p, WEXITSTATUS(status) == 0, "exit %d%s%s", WEXITSTATUS(status), *line ? ": " : "",
			   line);
}

static void on_end(uv_poll_t *poll, int poll_status, int events)
{
	struct exec_probe *x = poll->data;
	int status = 0;

	if (!x->told)
		on_output(&x->output, 0, UV_READABLE);
	/* Until it is waited for its number is not given to another group. */
	kill(-x->pid, SIGKILL);
	waitpid(x->pid, &status, 0);
	if (!x->told)
		tell(x, status);
	close_all(x);
}

static void on_timeout(uv_timer_t *timer)
{
	struct exec_probe *x = timer->data;

	kill(-x->pid, SIGKILL);
	uv_poll_stop(&x->output);
	x->told = true;
	probe_done(&x->p, false, "still running after %u ms: killed", x->p.check->timeout_ms);
}

/* Its end, its output and its time, watched. 0 or negative errno. */
static int watch(struct exec_probe *x)
{
	uv_loop_t *loop = probe_loop(&x->p);
	int r;

	x->pidfd = (int)syscall(SYS_pidfd_open, x->pid, 0);
	if (x->pidfd == -1)
		return -errno;
	r = uv_poll_init(loop, &x->end, x->pidfd);
	if (r < 0) {
		close(x->pidfd);
		return r;
	}
	uv_timer_init(loop, &x->timer);
	uv_poll_init(loop, &x->output, x->out); /* a pipe that is ours: it takes no memory and cannot fail */
	x->end.data = x->output.data = x->timer.data = x;
	uv_poll_start(&x->end, UV_READABLE, on_end);
	uv_poll_start(&x->output, UV_READABLE, on_output);
	uv_timer_start(&x->timer, on_timeout, x->p.check->timeout_ms, 0);
	return 0;
}

static int start(struct probe *p)
{
	struct exec_probe *x = (struct exec_probe *)p;
	char service[WEFT_NAME_LEN + 16], address[ADDR_TEXT_LEN + 32], port[32], at[ADDR_TEXT_LEN];
	char *env[] = { SPAWN_PATH, service, address, port, NULL };
	int r;

	snprintf(service, sizeof(service), "WEFT_SERVICE=%s", p->service->name);
	snprintf(address, sizeof(address), "WEFT_ENDPOINT_ADDRESS=%s", addr_format(&p->addr, at, sizeof(at)));
	snprintf(port, sizeof(port), "WEFT_ENDPOINT_PORT=%u", p->named);
	r = spawn(p->check->command, env, &x->pid, &x->out);
	if (r < 0) {
		probe_done(p, false, "cannot run %s: %s", p->check->command[0], log_strerror(r));
		probe_free(p);
		return 0;
	}
	r = watch(x);
	if (r < 0) {
		kill(-x->pid, SIGKILL);
		waitpid(x->pid, NULL, 0);
		close(x->out);
	}
	return r;
}

/* Who is not dead at once has nobody to wait for it: the agent ends, and init does. */
static void stop(struct probe *p)
{
	struct exec_probe *x = (struct exec_probe *)p;

	kill(-x->pid, SIGKILL);
	waitpid(x->pid, NULL, WNOHANG);
	close_all(x);
}

const struct probe_type probe_exec = { sizeof(struct exec_probe), start, stop };
