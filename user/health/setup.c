/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What libcurl is told of one check. Each has a connection of its own: that a new one comes to stand is what is asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "health/web.h"

#define STATUS_HEADER  "grpc-status:"
#define MESSAGE_HEADER "grpc-message:"

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	int fd = probe_socket(ctx, to->family, to->socktype, to->protocol);

	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static bool is_wanted(const struct web_probe *w)
{
	return w->p.check->expect || w->p.check->type == HEALTH_GRPC;
}

static size_t on_body(char *data, size_t size, size_t nr, void *ctx)
{
	struct web_probe *w = ctx;
	size_t len = nr * size, take = len;

	if (take > WEB_BODY_MAX - w->seen)
		take = WEB_BODY_MAX - w->seen;
	w->seen += take;
	if (is_wanted(w)) {
		if (w->len + take > w->room) {
			size_t room = w->room * 2 > w->len + take ? w->room * 2 : w->len + take;
			uint8_t *more = realloc(w->body, room);

			if (!more)
				return CURL_WRITEFUNC_ERROR;
			w->body = more;
			w->room = room;
		}
		memcpy(w->body + w->len, data, take);
		w->len += take;
	}
	w->cut = take < len;
	return take;
}

/* Lines of the head and, after the body, of the trailer. */
static size_t on_header(char *line, size_t size, size_t nr, void *ctx)
{
	const size_t status = sizeof(STATUS_HEADER) - 1, message = sizeof(MESSAGE_HEADER) - 1;
	struct web_probe *w = ctx;
	size_t len = nr * size;

	if (len > status && strncasecmp(line, STATUS_HEADER, status) == 0)
		w->grpc_status = grpc_status(line + status, len - status);
	else if (len > message && strncasecmp(line, MESSAGE_HEADER, message) == 0)
		snprintf(w->grpc_message, sizeof(w->grpc_message), "%.*s", (int)(len - message), line + message);
	return len;
}

static bool add(struct curl_slist **list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool add(struct curl_slist **list, const char *fmt, ...)
{
	_cleanup_(freep) char *line = NULL;
	struct curl_slist *more;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0) {
		line = NULL;
		return false;
	}
	more = curl_slist_append(*list, line);
	if (more)
		*list = more;
	return more;
}

static bool uses_tls(const struct health_check *c)
{
	return c->type == HEALTH_HTTPS || (c->type == HEALTH_GRPC && c->tls);
}

/* The address itself goes by CONNECT_TO, so that the URL may have the name that certificate and host header need. */
static int set_target(struct web_probe *w)
{
	const struct health_check *c = w->p.check;
	const char *scheme = uses_tls(c) ? "https" : "http";
	const char *path = c->type == HEALTH_GRPC ? GRPC_PATH : c->path ? c->path : "/";
	char at[ADDR_TEXT_LEN];
	_cleanup_(freep) char *url = NULL;
	int n;

	addr_port_format(&w->p.addr, w->p.port, at, sizeof(at));
	if (c->host)
		n = asprintf(&url, "%s://%s:%u%s", scheme, c->host, w->p.port, path);
	else
		n = asprintf(&url, "%s://%s%s", scheme, at, path);
	if (n < 0) {
		url = NULL;
		return -ENOMEM;
	}
	if (!add(&w->connect_to, "::%s", at) || (c->host && !add(&w->headers, "Host: %s", c->host)))
		return -ENOMEM;
	curl_easy_setopt(w->easy, CURLOPT_CONNECT_TO, w->connect_to);
	return curl_easy_setopt(w->easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
}

static void set_tls(struct web_probe *w)
{
	const struct health_check *c = w->p.check;

	curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYPEER, (long)c->tls_verify);
	curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYHOST, c->tls_verify ? 2L : 0L);
	curl_easy_setopt(w->easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* Of file and folder only the file can be kept in memory. */
	curl_easy_setopt(w->easy, CURLOPT_CAPATH, NULL);
	if (c->ca_file)
		curl_easy_setopt(w->easy, CURLOPT_CAINFO, c->ca_file);
}

static int set_grpc(struct web_probe *w)
{
	const struct health_check *c = w->p.check;
	int len = grpc_request(c->grpc_service, w->request);

	if (len < 0)
		return len;
	if (!add(&w->headers, "Content-Type: application/grpc") || !add(&w->headers, "TE: trailers") ||
	    !add(&w->headers, "grpc-timeout: %um", c->timeout_ms))
		return -ENOMEM;
	curl_easy_setopt(w->easy, CURLOPT_HTTP_VERSION,
			 c->tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	curl_easy_setopt(w->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(w->easy, CURLOPT_POSTFIELDSIZE, (long)len);
	curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, w->request);
	return 0;
}

static int set_http(struct web_probe *w)
{
	curl_easy_setopt(w->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return add(&w->headers, "Connection: close") ? 0 : -ENOMEM;
}

static void set_callbacks(struct web_probe *w)
{
	curl_easy_setopt(w->easy, CURLOPT_PRIVATE, w);
	curl_easy_setopt(w->easy, CURLOPT_ERRORBUFFER, w->error);
	curl_easy_setopt(w->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(w->easy, CURLOPT_OPENSOCKETDATA, &w->p);
	curl_easy_setopt(w->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(w->easy, CURLOPT_WRITEDATA, w);
	curl_easy_setopt(w->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(w->easy, CURLOPT_HEADERDATA, w);
}

int web_setup(struct web_probe *w)
{
	const struct health_check *c = w->p.check;
	int r;

	w->easy = curl_easy_init();
	if (!w->easy)
		return -ENOMEM;
	set_callbacks(w);
	curl_easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(w->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(w->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(w->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(w->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(w->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(w->easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(w->easy, CURLOPT_BUFFERSIZE, 4096L);
	curl_easy_setopt(w->easy, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	curl_easy_setopt(w->easy, CURLOPT_USERAGENT, "weft/" WEFT_VERSION " (health check)");
	r = set_target(w);
	if (r == 0 && uses_tls(c))
		set_tls(w);
	if (r == 0)
		r = c->type == HEALTH_GRPC ? set_grpc(w) : set_http(w);
	curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, w->headers);
	return r;
}
