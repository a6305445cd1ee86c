/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Each response goes to its asker whatever it says, since "no such name", "I refuse" and "I failed" differ for us. For
 * that c-ares has to be told not to look at it (NOCHECKRESP), and then does not ask the next server either when one
 * fails or refuses: so there is a second channel that does, and that such questions are put to again.
 */
#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/cares.h"
#include "discovery/cares_servers.h"
#include "dns/message.h"

#define TIMEOUT_MS 2000
#define TRIES	   2
#define HOSTS	   "/etc/hosts"

#define HOSTS_MAX_BYTES (256 * 1024) /* it is read in one go: what is larger is a list of blocked names */

enum { TAKES_ALL, ASKS_ON, CHANNELS };

struct channel {
	struct cares *cares;
	ares_channel ares; /* NULL: could not be made, or is being replaced */
};

struct cares {
	uv_loop_t *loop;
	struct servers servers;
	uint32_t timeout_ms;
	struct channel channel[CHANNELS];
	int init_error; /* of c-ares, when there is no channel */
	struct watch *watches;
	struct cares_query *asked, *done, **done_end;
	uv_timer_t timer, deliver;
	unsigned handles;
	bool closing;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* A socket of c-ares. */
struct watch {
	uv_poll_t poll;
	struct channel *channel;
	ares_socket_t fd;
	struct watch *next;
};

struct cares_query {
	struct cares *cares;
	struct cares_query *next, **back; /* asked; done has no way back */
	char *name;
	uint16_t type;
	unsigned at;		    /* channel */
	cares_answer_fn *on_answer; /* NULL: forgotten */
	void *ctx;
	int status;
	uint8_t *bytes; /* NULL: none */
	size_t len;
};

/* ---- handles ---- */

static void handle_closed(struct cares *c)
{
	if (--c->handles || !c->closing)
		return;
	if (c->closed)
		c->closed(c->closed_ctx);
	ares_library_cleanup();
	free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
	handle_closed(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;
	struct cares *c = w->channel->cares;

	free(w);
	handle_closed(c);
}

static void on_timer(uv_timer_t *timer);

/* When c-ares wants to be called next, of both channels. */
static void set_timer(struct cares *c)
{
	uint64_t ms = UINT64_MAX, mine;
	struct timeval tv;

	for (int i = 0; i < CHANNELS; i++) {
		if (!c->channel[i].ares || !ares_timeout(c->channel[i].ares, NULL, &tv))
			continue;
		mine = (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1;
		ms = mine < ms ? mine : ms;
	}
	if (ms == UINT64_MAX)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct cares *c = timer->data;

	for (int i = 0; i < CHANNELS; i++)
		if (c->channel[i].ares)
			ares_process_fd(c->channel[i].ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(c);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	struct cares *c = w->channel->cares;
	ares_socket_t fd = w->fd;

	ares_process_fd(w->channel->ares, status < 0 || (events & UV_READABLE) ? fd : ARES_SOCKET_BAD,
			status < 0 || (events & UV_WRITABLE) ? fd : ARES_SOCKET_BAD);
	set_timer(c); /* w may be gone */
}

static struct watch *watch_new(struct channel *channel, ares_socket_t fd)
{
	struct cares *c = channel->cares;
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL; /* the question times out */
	if (uv_poll_init(c->loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->channel = channel;
	w->fd = fd;
	w->next = c->watches;
	c->watches = w;
	c->handles++;
	return w;
}

/* What c-ares wants to know of a socket has changed; it closes it when that is nothing. */
static void on_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct channel *channel = data;
	struct watch **at = &channel->cares->watches, *w;

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	w = *at;
	if (!readable && !writable) {
		if (!w)
			return;
		*at = w->next;
		uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		return;
	}
	if (!w)
		w = watch_new(channel, fd);
	if (w)
		uv_poll_start(&w->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_ready);
}

/* ---- questions ---- */

static void query_free(struct cares_query *q)
{
	free(q->name);
	free(q->bytes);
	free(q);
}

static int fail(int status, const char **ret_text)
{
	switch (status) {
	case ARES_ETIMEOUT:
		*ret_text = "no server answers";
		return -ETIMEDOUT;
	case ARES_ECONNREFUSED:
		*ret_text = "no server can be reached";
		return -ECONNREFUSED;
	case ARES_ENOMEM:
		*ret_text = "not enough memory";
		return -ENOMEM;
	case ARES_EBADNAME:
		*ret_text = "no possible name";
		return -EINVAL;
	case ARES_EFILE:
		*ret_text = "cannot read /etc/resolv.conf";
		return -EIO;
	default:
		*ret_text = ares_strerror(status);
		return -EIO;
	}
}

/* Answers are handed out here, so that whoever gets one may do what he likes: c-ares is not in the middle of anything.
 */
static void on_deliver(uv_timer_t *timer)
{
	struct cares *c = timer->data;
	struct cares_query *q;
	const char *text = "";
	int error = 0;

	while (!c->closing && (q = c->done)) {
		c->done = q->next;
		if (!c->done)
			c->done_end = &c->done;
		if (!q->bytes)
			error = fail(q->status, &text);
		if (q->on_answer)
			q->on_answer(q->ctx, q->bytes ? 0 : error, q->bytes ? "" : text, q->bytes, q->len);
		query_free(q);
	}
}

static void finish(struct cares_query *q, int status)
{
	struct cares *c = q->cares;

	*q->back = q->next;
	if (q->next)
		q->next->back = q->back;
	q->next = NULL;
	q->status = status;
	*c->done_end = q;
	c->done_end = &q->next;
	if (!uv_is_active((uv_handle_t *)&c->deliver))
		uv_timer_start(&c->deliver, on_deliver, 0, 0);
}

static void keep_bytes(struct cares_query *q, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		return;
	memcpy(copy, bytes, len);
	free(q->bytes);
	q->bytes = copy;
	q->len = len;
}

static bool is_failure(const uint8_t *bytes, size_t len)
{
	unsigned rcode = len < DNS_HEADER_LEN ? DNS_FORMERR : bytes[3] & DNS_RCODE;

	return rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN;
}

static void send_query(struct cares_query *q);

static void on_response(void *data, int status, int timeouts, unsigned char *bytes, int len)
{
	struct cares_query *q = data;

	if (status == ARES_EDESTRUCTION)
		return; /* see set_channels() and cares_free() */
	if (bytes && len > 0)
		keep_bytes(q, bytes, (size_t)len);
	if (bytes && q->at == TAKES_ALL && q->cares->servers.nr > 1 && is_failure(bytes, (size_t)len)) {
		q->at = ASKS_ON;
		send_query(q);
		return;
	}
	finish(q, bytes && !q->bytes ? ARES_ENOMEM : status);
}

static void send_query(struct cares_query *q)
{
	struct cares *c = q->cares;

	if (c->channel[q->at].ares)
		ares_query(c->channel[q->at].ares, q->name, DNS_IN, q->type, on_response, q);
	else
		finish(q, c->init_error);
}

/* ---- channels ---- */

static int channel_new(struct cares *c, int which)
{
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS | (which == TAKES_ALL ? ARES_FLAG_NOCHECKRESP : 0),
		.timeout = (int)c->timeout_ms,
		.tries = TRIES,
		.ednspsz = DNS_EDNS_LEN,
		.sock_state_cb = on_state,
		.sock_state_cb_data = &c->channel[which],
	};
	int status;

	status = ares_init_options(&c->channel[which].ares, &o,
				   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
					   ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS)
		status = servers_apply(&c->servers, c->channel[which].ares);
	return status;
}

static void drop_channels(struct cares *c)
{
	for (int i = 0; i < CHANNELS; i++)
		if (c->channel[i].ares)
			ares_destroy(MOVE(c->channel[i].ares, NULL));
}

/* What was under way is asked again. */
static void set_channels(struct cares *c)
{
	struct cares_query *next;

	drop_channels(c);
	c->init_error = ARES_SUCCESS;
	for (int i = 0; i < CHANNELS && !c->init_error; i++)
		c->init_error = channel_new(c, i);
	if (c->init_error)
		drop_channels(c);
	for (struct cares_query *q = c->asked; q; q = next) {
		next = q->next;
		q->at = TAKES_ALL;
		send_query(q);
	}
	set_timer(c);
}

static void refresh(struct cares *c)
{
	if (servers_changed(&c->servers) || !c->channel[TAKES_ALL].ares)
		set_channels(c);
}

int cares_new(uv_loop_t *loop, const struct cares_options *options, struct cares **ret, char *text, size_t len)
{
	struct cares *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = servers_init(&c->servers, options, text, len);
	if (r || ares_library_init(ARES_LIB_INIT_ALL)) {
		servers_done(&c->servers);
		free(c);
		return r ? r : -ENOMEM;
	}
	c->loop = loop;
	c->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
	c->done_end = &c->done;
	for (int i = 0; i < CHANNELS; i++)
		c->channel[i].cares = c;
	uv_timer_init(loop, &c->timer);
	uv_timer_init(loop, &c->deliver);
	c->timer.data = c->deliver.data = c;
	c->handles = 2;
	*ret = c;
	return 0;
}

void cares_free(struct cares *c, void (*closed)(void *ctx), void *ctx)
{
	struct cares_query *next;

	c->closing = true;
	c->closed = closed;
	c->closed_ctx = ctx;
	drop_channels(c);
	for (struct cares_query *q = c->asked; q; q = next) {
		next = q->next;
		query_free(q);
	}
	for (struct cares_query *q = c->done; q; q = next) {
		next = q->next;
		query_free(q);
	}
	c->asked = c->done = NULL;
	servers_done(&c->servers);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->deliver, on_timer_closed);
}

int cares_ask(struct cares *c, const char *name, uint16_t type, cares_answer_fn *on_answer, void *ctx,
	      struct cares_query **ret)
{
	struct cares_query *q = calloc(1, sizeof(*q));

	if (q)
		q->name = strdup(name);
	if (!q || !q->name) {
		free(q);
		return -ENOMEM;
	}
	refresh(c);
	q->cares = c;
	q->type = type;
	q->on_answer = on_answer;
	q->ctx = ctx;
	q->next = c->asked;
	q->back = &c->asked;
	if (q->next)
		q->next->back = &q->next;
	c->asked = q;
	*ret = q;
	send_query(q);
	set_timer(c);
	return 0;
}

void cares_forget(struct cares_query *q)
{
	if (q)
		q->on_answer = NULL;
}

unsigned cares_ndots(struct cares *c)
{
	refresh(c);
	return servers_ndots(&c->servers);
}

char *const *cares_search(struct cares *c)
{
	refresh(c);
	return servers_search(&c->servers);
}

size_t cares_hosts(struct cares *c, const char *name, struct weft_addr *ret, size_t max)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct hostent *h;
	struct stat st;
	size_t nr = 0;

	if (stat(HOSTS, &st) || st.st_size > HOSTS_MAX_BYTES)
		return 0;
	refresh(c);
	for (int i = 0; i < 2 && c->channel[TAKES_ALL].ares; i++) {
		if (ares_gethostbyname_file(c->channel[TAKES_ALL].ares, name, families[i], &h) != ARES_SUCCESS)
			continue;
		for (char **at = h->h_addr_list; *at && nr < max; at++, nr++) {
			if (h->h_addrtype == AF_INET)
				weft_addr_set_v4(&ret[nr], *(const __be32 *)(const void *)*at);
			else
				memcpy(&ret[nr], *at, sizeof(ret[nr]));
		}
		ares_free_hostent(h);
	}
	return nr;
}
