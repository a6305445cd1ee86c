/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/agent_get.h"

#define REPLY_MAX  (16 * 1024 * 1024)
#define TIMEOUT_MS 3000l

struct reply {
	char *text;
	size_t len;
};

static void curl_cleanupp(CURL **c)
{
	if (*c)
		curl_easy_cleanup(*c);
}

static size_t collect(char *data, size_t size, size_t nr, void *ctx)
{
	struct reply *r = ctx;
	size_t n = size * nr;
	char *more;

	if (r->len + n > REPLY_MAX)
		return 0;
	more = realloc(r->text, r->len + n + 1);
	if (!more)
		return 0;
	memcpy(more + r->len, data, n);
	r->text = more;
	r->len += n;
	r->text[r->len] = '\0';
	return n;
}

int agent_get(const char *socket, const char *path, char **ret, size_t *ret_len)
{
	_cleanup_(curl_cleanupp) CURL *c = curl_easy_init();
	struct reply reply = { strdup(""), 0 };
	char url[256];
	CURLcode code;

	if (!c || !reply.text) {
		free(reply.text);
		return -ENOMEM;
	}
	snprintf(url, sizeof(url), "http://agent%s", path);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1l);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1l);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &reply);
	code = curl_easy_perform(c);
	if (code == CURLE_OK) {
		*ret = reply.text;
		*ret_len = reply.len;
		return 0;
	}
	free(reply.text);
	if (code == CURLE_COULDNT_CONNECT)
		return -ECONNREFUSED;
	return code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EPROTO;
}
