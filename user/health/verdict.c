/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <string.h>

#include "base/log.h"
#include "health/web.h"

static void failed(struct web_probe *w, CURLcode code)
{
	long error = 0;

	if (code == CURLE_OPERATION_TIMEDOUT) {
		probe_done(&w->p, false, "no answer within %u ms", w->p.check->timeout_ms);
		return;
	}
	if (code == CURLE_COULDNT_CONNECT)
		curl_easy_getinfo(w->easy, CURLINFO_OS_ERRNO, &error);
	if (error)
		probe_done(&w->p, false, "%s", log_strerror(-(int)error));
	else
		probe_done(&w->p, false, "%s", *w->error ? w->error : curl_easy_strerror(code));
}

static void http_verdict(struct web_probe *w, long status)
{
	const struct health_check *c = w->p.check;

	if (status < c->status_min || status > c->status_max)
		probe_done(&w->p, false, "status %ld is not in %u-%u", status, c->status_min, c->status_max);
	else if (c->expect && (!w->body || !memmem(w->body, w->len, c->expect, strlen(c->expect))))
		probe_done(&w->p, false, "status %ld, but '%.64s' is not in the %s", status, c->expect,
			   w->cut ? "first 64 KiB of the body" : "body");
	else
		probe_done(&w->p, true, "status %ld", status);
}

static void grpc_verdict(struct web_probe *w, long status)
{
	int serving;

	if (status != 200) {
		probe_done(&w->p, false, "HTTP status %ld instead of an answer of gRPC", status);
		return;
	}
	if (w->grpc_status < 0) {
		probe_done(&w->p, false, "an answer without grpc-status");
		return;
	}
	if (w->grpc_status > 0) {
		probe_done(&w->p, false, "grpc-status %d, %s%s%s", w->grpc_status, grpc_status_name(w->grpc_status),
			   *w->grpc_message ? ":" : "", w->grpc_message);
		return;
	}
	serving = grpc_response(w->body, w->len);
	if (serving < 0)
		probe_done(&w->p, false, "an answer that is no HealthCheckResponse");
	else
		probe_done(&w->p, serving == GRPC_SERVING, "%s", grpc_serving_name(serving));
}

void web_verdict(struct web_probe *w, CURLcode code)
{
	long status = 0;

	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && w->cut)) {
		failed(w, code);
		return;
	}
	curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &status);
	if (w->p.check->type == HEALTH_GRPC)
		grpc_verdict(w, status);
	else
		http_verdict(w, status);
}
