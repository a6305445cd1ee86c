/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <string.h>

#include "config/registry_keys.h"

#define DAY_MS (24u * 3600 * 1000)

#define TEXT(k)                                                                                                        \
	{                                                                                                              \
		.key = k, .kind = OPTION_TEXT                                                                          \
	}
#define WANTED(k)                                                                                                      \
	{                                                                                                              \
		.key = k, .kind = OPTION_TEXT, .required = true                                                        \
	}
#define LIST(k)                                                                                                        \
	{                                                                                                              \
		.key = k, .kind = OPTION_LIST                                                                          \
	}
#define WANTED_LIST(k)                                                                                                 \
	{                                                                                                              \
		.key = k, .kind = OPTION_LIST, .required = true                                                        \
	}
#define FILE_AT(k)                                                                                                     \
	{                                                                                                              \
		.key = k, .kind = OPTION_PATH                                                                          \
	}
#define BOOL(k)                                                                                                        \
	{                                                                                                              \
		.key = k, .kind = OPTION_BOOL                                                                          \
	}
#define NUMBER(k, lo, hi)                                                                                              \
	{                                                                                                              \
		.key = k, .kind = OPTION_NUMBER, .min = lo, .max = hi                                                  \
	}
#define DURATION(k, lo, hi)                                                                                            \
	{                                                                                                              \
		.key = k, .kind = OPTION_DURATION, .min = lo, .max = hi                                                \
	}
#define CHOICE(k, ...)                                                                                                 \
	{                                                                                                              \
		.key = k, .kind = OPTION_CHOICE, .choices = (const char *const[])                                      \
		{                                                                                                      \
			__VA_ARGS__, NULL                                                                              \
		}                                                                                                      \
	}
#define KEYS(...)                                                                                                      \
	(const struct option_key[])                                                                                    \
	{                                                                                                              \
		__VA_ARGS__,                                                                                           \
		{                                                                                                      \
			0                                                                                              \
		}                                                                                                      \
	}

/* Of those that are spoken to by HTTP. */
#define TLS	 FILE_AT("tls-ca"), FILE_AT("tls-cert"), FILE_AT("tls-key"), BOOL("tls-verify")
#define PASSWORD TEXT("user"), TEXT("password"), FILE_AT("password-file")
#define TOKEN	 TEXT("token"), FILE_AT("token-file")

const struct option_key *const common_keys[USE_MAX] = {
	[USE_REGISTRY] = KEYS(DURATION("timeout", 100, DAY_MS), DURATION("backoff-max", 100, DAY_MS),
			      NUMBER("reads-per-second", 1, 100000), CHOICE("empty", "keep", "clear")),
	[USE_SOURCE] = KEYS(LIST("filter"), CHOICE("empty", "keep", "clear"), TEXT("port"), NUMBER("priority", 0, 127)),
	[USE_REGISTER] = KEYS(NUMBER("weight", 0, 1000), LIST("labels")),
};

const struct registry_type registry_types[] = {
	{ "dns",
	  { [USE_REGISTRY] = KEYS(LIST("servers"), LIST("search"), NUMBER("ndots", 0, 15),
				  DURATION("min-ttl", 100, DAY_MS), DURATION("max-ttl", 100, DAY_MS)),
	    [USE_SOURCE] = KEYS(WANTED("name"), CHOICE("type", "address", "srv")) } },
	{ "kubernetes",
	  { [USE_REGISTRY] = KEYS(FILE_AT("kubeconfig"), TEXT("context"), TEXT("server"), TLS, TOKEN,
				  LIST("namespaces"), TEXT("selector"), TEXT("node"), LIST("addresses"),
				  CHOICE("services", "all", "annotated", "none"), NUMBER("page", 1, 100000)),
	    [USE_SOURCE] = KEYS(WANTED("service"), TEXT("namespace")) } },
	{ "consul",
	  { [USE_REGISTRY] = KEYS(WANTED_LIST("servers"), TLS, TOKEN, TEXT("datacenter"), TEXT("namespace"),
				  TEXT("partition"), DURATION("wait", 1000, 600000),
				  CHOICE("consistency", "default", "stale", "consistent"), TEXT("zone-key"),
				  NUMBER("connections", 1, 100000)),
	    [USE_SOURCE] = KEYS(WANTED("service"), LIST("tags"), TEXT("datacenter"), TEXT("namespace"),
				TEXT("partition"), TEXT("expression"), TEXT("near"),
				CHOICE("health", "passing", "warning", "any")),
	    [USE_REGISTER] = KEYS(TEXT("service"), TEXT("id"), LIST("tags"), DURATION("ttl", 1000, DAY_MS),
				  DURATION("deregister-after", 0, DAY_MS)) } },
	{ "etcd",
	  { [USE_REGISTRY] = KEYS(WANTED_LIST("servers"), TLS, PASSWORD),
	    [USE_SOURCE] = KEYS(WANTED("prefix")),
	    [USE_REGISTER] = KEYS(WANTED("prefix"), TEXT("id"), DURATION("ttl", 1000, DAY_MS)) } },
	{ "zookeeper",
	  { [USE_REGISTRY] = KEYS(WANTED_LIST("servers"), TEXT("chroot"), PASSWORD,
				  DURATION("session-timeout", 1000, DAY_MS)),
	    [USE_SOURCE] = KEYS(WANTED("path"), CHOICE("decode", "nerve", "serverset"), TEXT("endpoint-name"),
				TEXT("generator-config"), BOOL("leader-election"), DURATION("jitter", 0, 120000)),
	    [USE_REGISTER] = KEYS(WANTED("path"), TEXT("id"), BOOL("path-encoding"), TEXT("haproxy-server-options"),
				  DURATION("ttl", 1000, DAY_MS),
				  CHOICE("node-type", "ephemeral_sequential", "persistent_sequential", "persistent",
					 "ephemeral")) } },
	{ "eureka",
	  { [USE_REGISTRY] = KEYS(WANTED_LIST("servers"), TLS, PASSWORD, DURATION("refresh", 100, DAY_MS),
				  BOOL("delta"), TEXT("region")),
	    [USE_SOURCE] = KEYS(TEXT("application"), TEXT("vip"), TEXT("secure-vip"), BOOL("secure"), LIST("status")),
	    [USE_REGISTER] = KEYS(WANTED("application"), TEXT("id"), TEXT("vip"), TEXT("secure-vip"), TEXT("host-name"),
				  DURATION("ttl", 1000, DAY_MS)) } },
	{ "envoy",
	  { [USE_REGISTRY] = KEYS(LIST("servers"), TLS, TOKEN, FILE_AT("path"), TEXT("node"), TEXT("cluster"),
				  DURATION("refresh", 100, DAY_MS), BOOL("clusters")),
	    [USE_SOURCE] = KEYS(WANTED("cluster"), FILE_AT("path"), BOOL("locality-weights")) } },
	{ 0 },
};

const struct registry_type *registry_type(const char *type)
{
	for (const struct registry_type *t = registry_types; t->type; t++)
		if (!strcmp(t->type, type))
			return t;
	return NULL;
}
