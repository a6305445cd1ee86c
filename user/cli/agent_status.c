/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/agent_status.h"

#define REPLY_MAX  (256 * 1024)
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
	return n;
}

static double number(const json_t *root, const char *key)
{
	return json_number_value(json_object_get(root, key));
}

static void text(const json_t *root, const char *key, char *ret, size_t len)
{
	const char *s = json_string_value(json_object_get(root, key));

	snprintf(ret, len, "%s", s ? s : "");
}

int agent_status_parse(const char *reply, size_t len, struct agent_status *ret)
{
	_cleanup_(json_decrefp) json_t *root = json_loadb(reply, len, 0, NULL);
	struct agent_status s = { 0 };

	if (!json_is_object(root) || !json_is_integer(json_object_get(root, "pid")))
		return -EPROTO;
	s.pid = json_integer_value(json_object_get(root, "pid"));
	text(root, "version", s.version, sizeof(s.version));
	text(root, "config_file", s.config_file, sizeof(s.config_file));
	text(root, "last_error", s.last_error, sizeof(s.last_error));
	s.start_unix = number(root, "start_unix");
	s.last_ok_unix = number(root, "last_ok_unix");
	s.reloads_ok = (uint64_t)number(root, "reloads_ok");
	s.reloads_failed = (uint64_t)number(root, "reloads_failed");
	s.services = (uint64_t)number(root, "services");
	s.endpoints = (uint64_t)number(root, "endpoints");
	*ret = s;
	return 0;
}

int agent_status_get(const char *socket, struct agent_status *ret)
{
	_cleanup_(curl_cleanupp) CURL *c = curl_easy_init();
	struct reply reply = { NULL, 0 };
	CURLcode code;
	int r;

	if (!c)
		return -ENOMEM;
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(c, CURLOPT_URL, "http://agent/status");
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1l);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1l);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &reply);
	code = curl_easy_perform(c);
	if (code == CURLE_COULDNT_CONNECT)
		r = -ECONNREFUSED;
	else if (code == CURLE_OPERATION_TIMEDOUT)
		r = -ETIMEDOUT;
	else
		r = code == CURLE_OK ? agent_status_parse(reply.text ? reply.text : "", reply.len, ret) : -EPROTO;
	free(reply.text);
	return r;
}
