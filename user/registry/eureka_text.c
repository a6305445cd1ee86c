/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discovery/http.h"
#include "registry/eureka_text.h"

#define BASE "/eureka/v2" /* where Netflix' own server has it; Spring's has "/eureka" */

int eureka_server_parse(const char *text, char **ret)
{
	_cleanup_(freep) char *base = NULL;
	int r = http_server_parse(text, &base);
	const char *host;

	if (r)
		return r;
	host = strstr(base, "://") + 3;
	if (asprintf(ret, "%s%s", base, strchr(host, '/') ? "" : BASE) == -1) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

char *eureka_apps_path(bool delta, const char *region)
{
	_cleanup_(freep) char *escaped = region ? http_escape(region) : NULL;
	char *path;

	if ((region && !escaped) || asprintf(&path, "/apps%s%s%s", delta ? "/delta" : "", region ? "?regions=" : "",
					     region ? escaped : "") == -1)
		return NULL;
	return path;
}

static const char *status_of(const struct eureka_entry *e)
{
	return e->up ? "UP" : "DOWN";
}

static void put(json_t *j, const char *key, const char *value)
{
	if (value)
		json_object_set_new(j, key, json_string(value));
}

static json_t *metadata_of(const struct eureka_entry *e)
{
	json_t *j = json_object();
	char text[16];

	for (size_t i = 0; i < e->nr_labels; i++)
		put(j, e->labels[i].key, e->labels[i].value);
	if (e->weight) {
		snprintf(text, sizeof(text), "%u", *e->weight);
		put(j, "weight", text);
	}
	put(j, "zone", e->zone);
	return j;
}

/* Netflix' servers want timestamps as numbers, and ports as their client writes them. */
char *eureka_entry_body(const struct eureka_entry *e)
{
	uint32_t ttl_s = (e->ttl_ms + 999) / 1000;
	json_t *j = json_pack("{s:s s:s s:s s:s s:s s:s s:{s:i s:s} s:{s:i s:s} s:i s:{s:s s:s} s:{s:i s:i} s:I s:o}",
			      "instanceId", e->id, "hostName", e->host, "app", e->app, "ipAddr", e->address, "status",
			      status_of(e), "overriddenstatus", "UNKNOWN", "port", "$", (int)e->port, "@enabled",
			      "true", "securePort", "$", e->secure_vip ? (int)e->port : 7002, "@enabled",
			      e->secure_vip ? "true" : "false", "countryId", 1, "dataCenterInfo", "@class",
			      "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name", "MyOwn", "leaseInfo",
			      "renewalIntervalInSecs", (int)(ttl_s / 3 ? ttl_s / 3 : 1), "durationInSecs", (int)ttl_s,
			      "lastDirtyTimestamp", (json_int_t)e->dirty_ms, "metadata", metadata_of(e));
	json_t *whole;
	char *text;

	if (!j)
		return NULL;
	put(j, "vipAddress", e->vip ? e->vip : e->app);
	put(j, "secureVipAddress", e->secure_vip);
	whole = json_pack("{s:o}", "instance", j);
	text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
	json_decref(whole);
	return text;
}

char *eureka_app_path(const struct eureka_entry *e)
{
	_cleanup_(freep) char *app = http_escape(e->app);
	char *path;

	return app && asprintf(&path, "/apps/%s", app) != -1 ? path : NULL;
}

char *eureka_instance_path(const struct eureka_entry *e)
{
	_cleanup_(freep) char *app = eureka_app_path(e);
	_cleanup_(freep) char *id = http_escape(e->id);
	char *path;

	return app && id && asprintf(&path, "%s/%s", app, id) != -1 ? path : NULL;
}

char *eureka_heartbeat_path(const struct eureka_entry *e)
{
	_cleanup_(freep) char *instance = eureka_instance_path(e);
	char *path;

	if (!instance ||
	    asprintf(&path, "%s?status=%s&lastDirtyTimestamp=%" PRIu64, instance, status_of(e), e->dirty_ms) == -1)
		return NULL;
	return path;
}
