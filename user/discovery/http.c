/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/http.h"
#include "discovery/http_multi.h"

#define CONNECT_MS   5000
#define BODY_MOST    ((size_t)64 * 1024 * 1024)
#define ERROR_MOST   ((size_t)64 * 1024)
#define KEEP_SECONDS 120L /* idle connections */
#define HTTP_OK(s)   ((s) >= 200 && (s) < 300)

struct http_client {
	struct multi *multi;
	uv_loop_t *loop;
	void (*closed)(void *ctx);
	void *ctx;
};

struct http_call {
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers;
	int (*on_data)(void *ctx, const char *data, size_t len);
	void (*on_done)(void *ctx, const struct http_response *res);
	void *ctx;
	size_t most;
	char *body;
	size_t len, room;
	int stopped; /* negative errno: why we ended it */
	uint32_t quiet_ms;
	uint64_t heard; /* by the loop's clock */
	curl_off_t moved;
	char error[CURL_ERROR_SIZE];
};

static void on_transfer_done(CURL *easy, CURLcode code);

int http_client_new(uv_loop_t *loop, struct http_client **ret)
{
	struct http_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	r = multi_new(loop, on_transfer_done, &c->multi);
	if (r) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static void on_multi_closed(void *ctx)
{
	struct http_client *c = ctx;
	void (*closed)(void *ctx) = c->closed;
	void *closed_ctx = c->ctx;

	free(c);
	if (closed)
		closed(closed_ctx);
}

void http_client_free(struct http_client *c, void (*closed)(void *ctx), void *ctx)
{
	if (!c)
		return;
	c->closed = closed;
	c->ctx = ctx;
	multi_free(c->multi, on_multi_closed, c);
}

void http_tls_from(const struct options *o, struct http_tls *ret)
{
	*ret = (struct http_tls){
		.ca = options_text(o, "tls-ca", NULL),
		.cert = options_text(o, "tls-cert", NULL),
		.key = options_text(o, "tls-key", NULL),
		.insecure = !options_bool(o, "tls-verify", true),
	};
}

static void call_free(struct http_call *call)
{
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	free(call->body);
	free(call);
}

/* One byte more than asked for, for the NUL. */
static int keep(struct http_call *call, const char *data, size_t len, size_t most)
{
	if (len > most - call->len)
		return -E2BIG;
	if (call->len + len + 1 > call->room) {
		size_t room = (call->len + len + 1) * 2;
		char *more = realloc(call->body, room);

		if (!more)
			return -ENOMEM;
		call->body = more;
		call->room = room;
	}
	memcpy(call->body + call->len, data, len);
	call->len += len;
	call->body[call->len] = '\0';
	return 0;
}

static size_t on_body(char *data, size_t size, size_t nr, void *ctx)
{
	struct http_call *call = ctx;
	size_t len = size * nr;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!HTTP_OK(status)) {
		size_t room = ERROR_MOST - call->len;

		call->stopped = keep(call, data, len < room ? len : room, ERROR_MOST);
	} else if (call->on_data) {
		call->stopped = call->on_data(call->ctx, data, len);
	} else {
		call->stopped = keep(call, data, len, call->most);
	}
	return call->stopped < 0 ? CURL_WRITEFUNC_ERROR : len;
}

/* libcurl calls this about once a second, and whenever something moves. */
static int on_progress(void *ctx, curl_off_t all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	struct http_call *call = ctx;
	uint64_t now = uv_now(call->client->loop);

	if (down + up != call->moved) {
		call->moved = down + up;
		call->heard = now;
	}
	if (!call->quiet_ms || now - call->heard < call->quiet_ms)
		return 0;
	call->stopped = -ETIMEDOUT;
	return 1;
}

static int errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return -EPROTO;
	default:
		return -EIO;
	}
}

/* The same failure in the same words, without times and numbers: it is logged once. */
static const char *reason_of(struct http_call *call, CURLcode code)
{
	long number = 0;

	if (call->stopped < 0)
		return call->stopped == -ETIMEDOUT ? "nothing was heard for too long"
		       : call->stopped == -E2BIG   ? "the answer is too long"
						   : strerror(-call->stopped);
	switch (code) {
	case CURLE_OK:
		return "";
	case CURLE_OPERATION_TIMEDOUT:
		return "no answer in time";
	case CURLE_COULDNT_RESOLVE_HOST:
		return "the name cannot be resolved";
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &number);
		return number ? strerror((int)number) : "cannot connect";
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		return "the connection was closed";
	default:
		return *call->error ? call->error : curl_easy_strerror(code);
	}
}

static void on_transfer_done(CURL *easy, CURLcode code)
{
	struct http_response res = { 0 };
	struct http_call *call;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &res.status);
	res.error = call->stopped < 0 ? call->stopped : errno_of(code);
	res.text = reason_of(call, code);
	res.body = call->body ? call->body : "";
	res.body_len = call->len;
	res.call = call;
	call->on_done(call->ctx, &res);
	call_free(call);
}

static int set_headers(struct http_call *call, const struct http_request *q)
{
	/* No pause before a body is sent. */
	call->headers = curl_slist_append(NULL, "Expect:");
	for (const char *const *h = q->headers; call->headers && h && *h; h++) {
		struct curl_slist *more = curl_slist_append(call->headers, *h);

		if (!more)
			return -ENOMEM;
		call->headers = more;
	}
	if (!call->headers)
		return -ENOMEM;
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
	return 0;
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
	if (!tls)
		return;
	if (tls->ca)
		curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca);
	if (tls->cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert);
	if (tls->key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
	if (!tls->insecure)
		return;
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

static int set_request(struct http_call *call, const struct http_request *q)
{
	CURL *easy = call->easy;

	if (curl_easy_setopt(easy, CURLOPT_URL, q->url) != CURLE_OK)
		return -ENOMEM;
	if (q->method)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
	if (q->body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
		if (curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, q->body) != CURLE_OK)
			return -ENOMEM;
	}
	if (q->user) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERNAME, q->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, q->password ? q->password : "");
	}
	if (q->gzip)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(q->connect_ms ? q->connect_ms : CONNECT_MS));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)q->total_ms);
	if (q->quiet_ms) {
		/* Only a limit to speed makes libcurl look, and call on_progress(), when nothing moves. */
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(q->quiet_ms / 1000 + 10));
	}
	set_tls(easy, q->tls);
	return set_headers(call, q);
}

static void set_fixed(struct http_call *call)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	/* With HTTP/2 a dead connection stays in the pool: a stream that is given up does not close it. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROXY,
			 ""); /* registries are near; an http_proxy of the environment is not for them */
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, KEEP_SECONDS);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "weft/" WEFT_VERSION);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

int http_start(struct http_client *c, const struct http_request *q, struct http_call **ret)
{
	struct http_call *call;
	int r;

	if (strncmp(q->url, "http://", 7) && strncmp(q->url, "https://", 8))
		return -EINVAL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->easy = curl_easy_init();
	if (!call->easy) {
		free(call);
		return -ENOMEM;
	}
	call->client = c;
	call->on_data = q->on_data;
	call->on_done = q->on_done;
	call->ctx = q->ctx;
	call->most = q->most ? q->most : BODY_MOST;
	call->quiet_ms = q->quiet_ms;
	call->heard = uv_now(c->loop);
	set_fixed(call);
	r = set_request(call, q);
	if (!r)
		r = multi_add(c->multi, call->easy);
	if (r) {
		call_free(call);
		return r;
	}
	*ret = call;
	return 0;
}

void http_cancel(struct http_call *call)
{
	if (!call)
		return;
	multi_remove(call->client->multi, call->easy);
	call_free(call);
}

const char *http_header(const struct http_call *call, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

char *http_escape(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	char *escaped = malloc(strlen(text) * 3 + 1), *at = escaped;

	if (!escaped)
		return NULL;
	for (; *text; text++)
		if (strchr(plain, *text))
			*at++ = *text;
		else
			at += snprintf(at, 4, "%%%02X", (unsigned char)*text);
	*at = '\0';
	return escaped;
}

int http_server_parse(const char *text, char **ret)
{
	const char *host = strstr(text, "://");
	size_t len = strlen(text);
	bool http = !strncmp(text, "http://", 7), https = !strncmp(text, "https://", 8);

	host = host ? host + 3 : text;
	if ((host != text && !http && !https) || !*host || *host == '/' || *host == ':' || strpbrk(host, " \t\r\n?#@"))
		return -EINVAL;
	while (len && text[len - 1] == '/')
		len--;
	if (asprintf(ret, "%s%.*s", host == text ? "http://" : "", (int)len, text) == -1) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}
