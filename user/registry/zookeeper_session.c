/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The library's handle in the agent's loop. The library says which descriptor it waits for, and until when; it may
 * close that one and open another of the same number whenever it runs, so that libuv must not hold it meanwhile.
 *
 * A handle is thrown away with its session: when a server says that it has expired, when there has been no connection
 * for as long as a session lives (a server that was emptied refuses for ever whoever has seen later changes than it
 * has), and when the server does not like our credentials.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "registry/zookeeper.h"

#define SESSION_MS   15000
#define BACKOFF_MOST 30000
#define FIRST_MS     200
#define SANE_MS	     3600000 /* no server wants a session to last longer without a word */
#define AT_ONCE	     64	     /* answers that are taken before others get their turn */
#define IDLE_MOST    16	     /* of zk.idle */

struct zk_poll {
	uv_poll_t poll;
	struct zk *z;
	int fd;
};

static void begin(struct zk *z);

/* ---- what goes with a question ---- */

struct zk_ticket *zk_ticket(struct zk *z, uint64_t asker, unsigned round, const char *name)
{
	size_t len = strlen(name) + 1;
	struct zk_ticket *t = malloc(sizeof(*t) + len);

	if (!t)
		return NULL;
	*t = (struct zk_ticket){ .next = z->tickets, .z = z, .asker = asker, .round = round };
	memcpy(t->name, name, len);
	if (z->tickets)
		z->tickets->prev = t;
	z->tickets = t;
	return t;
}

void zk_ticket_done(struct zk_ticket *t)
{
	if (!t)
		return;
	if (t->next)
		t->next->prev = t->prev;
	if (t->prev)
		t->prev->next = t->next;
	else
		t->z->tickets = t->next;
	free(t);
}

bool zk_is_loss(int rc)
{
	return rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZSESSIONEXPIRED || rc == ZCLOSING ||
	       rc == ZINVALIDSTATE || rc == ZSESSIONMOVED || rc == ZAUTHFAILED;
}

const char *zk_error(int rc)
{
	switch (rc) {
	case ZNOAUTH:
		return "we are not allowed to";
	case ZNONODE:
		return "there is no such path";
	case ZSYSTEMERROR:
		return strerror(errno);
	default:
		return zerror(rc);
	}
}

/* ---- the descriptor ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	struct zk_poll *p = handle->data;
	struct zk *z = p->z;

	free(p);
	zk_handle_closed(z);
}

/* Before the library runs. */
static void let_go(struct zk *z)
{
	if (z->poll)
		uv_poll_stop(&z->poll->poll);
}

static void drop_poll(struct zk *z)
{
	if (!z->poll)
		return;
	let_go(z);
	uv_close((uv_handle_t *)&z->poll->poll, on_poll_closed);
	z->poll = NULL;
}

static void on_ready(uv_poll_t *poll, int status, int events);

static int hold(struct zk *z, int fd, int interest)
{
	int events = (interest & ZOOKEEPER_READ ? UV_READABLE : 0) | (interest & ZOOKEEPER_WRITE ? UV_WRITABLE : 0);
	struct zk_poll *p = z->poll;
	int r;

	if (p && p->fd != fd) {
		drop_poll(z);
		p = NULL;
	}
	if (!p) {
		p = malloc(sizeof(*p));
		if (!p)
			return -ENOMEM;
		*p = (struct zk_poll){ .z = z, .fd = fd };
		r = uv_poll_init(z->r.loop, &p->poll, fd);
		if (r) {
			free(p);
			return r;
		}
		p->poll.data = p;
		z->poll = p;
		z->handles++;
	}
	return uv_poll_start(&p->poll, events, on_ready);
}

/* ---- the session ---- */

static void on_timer(uv_timer_t *timer)
{
	struct zk *z = timer->data;

	if (z->handle)
		zk_pump(z);
	else
		begin(z);
}

static void wait(struct zk *z, uint64_t ms)
{
	uv_timer_start(&z->timer, on_timer, ms, 0);
}

static void failed(struct zk *z)
{
	_cleanup_(freep) char *servers = zk_servers_text(z);

	if (zoo_state(z->handle) == ZOO_AUTH_FAILED_STATE)
		registry_failed(&z->r, "%s refuses our credentials", servers ? servers : "ZooKeeper");
	else
		registry_failed(&z->r, "no connection to %s", servers ? servers : "ZooKeeper");
}

static void end(struct zk *z)
{
	zhandle_t *handle = MOVE(z->handle, NULL);

	drop_poll(z);
	uv_timer_stop(&z->timer);
	z->connected = false;
	z->fd = -1;
	z->idle = 0;
	if (!handle)
		return;
	z->inside = true;
	zookeeper_close(handle); /* answers all that is open */
	z->inside = false;
	while (z->tickets)
		zk_ticket_done(z->tickets);
}

static void connected(struct zk *z)
{
	int64_t session = zoo_client_id(z->handle)->client_id;
	bool fresh = session != z->session;

	log_msg(LOG_L_DEBUG, "registry %s: session 0x%llx with %s", z->r.name, (unsigned long long)session,
		zoo_get_current_server(z->handle));
	z->session = session;
	backoff_reset(&z->backoff);
	for (struct zk_announcement *a = z->announcements; a; a = a->next)
		zk_announcement_connected(a, fresh);
	for (size_t i = 0; i < ZK_BUCKETS; i++)
		for (struct zk_lookup *l = z->lookups[i]; l; l = l->next)
			zk_lookup_connected(l);
	zk_doomed_connected(z);
}

/* What has become of the connection, after the library ran. @rc: what it says. False: another session is to begin. */
static bool look(struct zk *z, int rc)
{
	bool was = z->connected, is = zoo_state(z->handle) == ZOO_CONNECTED_STATE;
	uint64_t now = uv_now(z->r.loop);

	/* Who is no ZooKeeper may say anything. */
	if (is && (zoo_recv_timeout(z->handle) <= 0 || zoo_recv_timeout(z->handle) > SANE_MS)) {
		failed(z);
		z->connected = false;
		return false;
	}
	z->connected = is;
	if (is) {
		registry_heard(&z->r);
		if (!was)
			connected(z);
		return true;
	}
	if (was)
		z->lost_ms = now;
	if (rc != ZOK && rc != ZNOTHING)
		failed(z);
	return !is_unrecoverable(z->handle) && now - z->lost_ms <= z->session_ms;
}

static void again(struct zk *z)
{
	if (is_unrecoverable(z->handle) && zoo_state(z->handle) == ZOO_AUTH_FAILED_STATE)
		failed(z);
	end(z);
	wait(z, backoff_next(&z->backoff));
}

void zk_pump(struct zk *z)
{
	struct timeval tv = { 0 };
	int fd = -1, interest = 0, rc;
	uint64_t ms;

	if (z->inside || z->closing || !z->handle)
		return;
	let_go(z);
	z->inside = true;
	rc = zookeeper_interest(z->handle, &fd, &interest, &tv);
	z->fd = fd;
	if (!look(z, rc)) {
		z->inside = false;
		again(z);
		return;
	}
	z->inside = false;
	ms = (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1;
	if (ms > z->session_ms / 3)
		ms = z->session_ms / 3;
	if (fd < 0 || rc != ZOK) {
		drop_poll(z);
		wait(z, rc == ZOK ? ms : backoff_next(&z->backoff));
		return;
	}
	if (hold(z, fd, interest))
		ms = FIRST_MS;
	wait(z, ms);
}

static int unread(const struct zk *z)
{
	int n = 0;

	return z->fd >= 0 && ioctl(z->fd, FIONREAD, &n) == 0 ? n : 0;
}

/*
 * The library reads no more after an answer whose length is none, says that all is well, and would be called again and
 * again. @before: bytes that waited for it; @ready: to be read, or broken.
 */
static bool stuck(struct zk *z, int before, bool ready)
{
	z->idle = ready && unread(z) == before ? z->idle + 1 : 0;
	return z->idle > IDLE_MOST;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct zk *z = ((struct zk_poll *)poll->data)->z;
	int what = (events & UV_READABLE ? ZOOKEEPER_READ : 0) | (events & UV_WRITABLE ? ZOOKEEPER_WRITE : 0), rc;
	int before = unread(z);
	bool good;

	if (status < 0)
		what = ZOOKEEPER_READ | ZOOKEEPER_WRITE;
	let_go(z);
	z->inside = true;
	rc = zookeeper_process(z->handle, what);
	for (int i = 0; rc == ZOK && i < AT_ONCE && zoo_state(z->handle) == ZOO_CONNECTED_STATE; i++)
		rc = zookeeper_process(z->handle, ZOOKEEPER_READ);
	good = look(z, rc);
	if ((rc == ZOK || rc == ZNOTHING) && good && stuck(z, before, what & ZOOKEEPER_READ)) {
		failed(z);
		good = false;
	}
	z->inside = false;
	if (!good)
		again(z);
	else if (rc != ZOK && rc != ZNOTHING)
		wait(z, backoff_next(&z->backoff));
	else
		zk_pump(z);
}

/* ---- from beginning to end ---- */

static int add_auth(struct zk *z)
{
	const char *user = options_text(z->r.options, "user", NULL),
		   *file = options_text(z->r.options, "password-file", NULL);
	_cleanup_(freep) char *secret = file ? secret_read(file) : NULL;
	_cleanup_(freep) char *text = NULL;

	if (!user)
		return 0;
	if (file && !secret) {
		registry_failed(&z->r, "password-file %s cannot be read: %s", file, strerror(errno));
		return -EACCES;
	}
	if (asprintf(&text, "%s:%s", user, secret ? secret : options_text(z->r.options, "password", "")) < 0)
		return -ENOMEM;
	return zoo_add_auth(z->handle, "digest", text, (int)strlen(text), NULL, NULL) == ZOK ? 0 : -EIO;
}

static void begin(struct zk *z)
{
	_cleanup_(freep) char *servers = zk_servers_list(z);

	if (z->closing || z->handle || !servers)
		return; /* zk_session_servers() when an address is known */
	z->lost_ms = uv_now(z->r.loop);
	z->handle = zookeeper_init(servers, NULL, (int)z->session_ms, NULL, z, 0);
	if (!z->handle) {
		registry_failed(&z->r, "cannot begin: %s", strerror(errno));
		wait(z, backoff_next(&z->backoff));
		return;
	}
	if (add_auth(z)) {
		again(z);
		return;
	}
	zk_pump(z);
}

void zk_session_servers(struct zk *z)
{
	_cleanup_(freep) char *servers = NULL;

	if (!z->handle) {
		if (!uv_is_active((uv_handle_t *)&z->timer))
			begin(z);
		return;
	}
	servers = zk_servers_list(z);
	/* Without the path, which stays. */
	if (servers)
		servers[strcspn(servers, "/")] = '\0';
	if (servers && !z->inside && zoo_set_servers(z->handle, servers) == ZOK)
		zk_pump(z);
}

void zk_session_open(struct zk *z)
{
	uint32_t most = options_ms(z->r.options, "backoff-max", BACKOFF_MOST);

	zoo_set_debug_level((ZooLogLevel)0); /* it would write to standard error */
	z->session_ms = options_ms(z->r.options, "session-timeout", SESSION_MS);
	/* A session must not end because of us. */
	z->backoff = (struct backoff){ .first_ms = FIRST_MS,
				       .most_ms = most < z->session_ms / 3 ? most : z->session_ms / 3 };
	z->fd = -1;
	uv_timer_init(z->r.loop, &z->timer);
	z->timer.data = z;
	z->handles = 1;
	wait(z, 0);
}

static bool writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

static void on_timer_closed(uv_handle_t *handle)
{
	zk_handle_closed(handle->data);
}

void zk_session_close(struct zk *z, bool leave)
{
	z->closing = true;
	/* The library tells the server that the session ends, and waits until it may. One that is not told keeps it,
	 * and what is ephemeral, until its time is over. */
	if (z->connected)
		zk_doomed_flush(z);
	if (z->fd >= 0 && (leave || !writable(z->fd)))
		shutdown(z->fd, SHUT_WR);
	end(z);
	uv_close((uv_handle_t *)&z->timer, on_timer_closed);
}
