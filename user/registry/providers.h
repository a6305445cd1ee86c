/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* All kinds of registries there are. */
#ifndef REGISTRY_PROVIDERS_H
#define REGISTRY_PROVIDERS_H

#include "discovery/registry.h"

extern const struct provider provider_dns, provider_kubernetes, provider_consul, provider_etcd, provider_zookeeper,
	provider_eureka, provider_envoy;

extern const struct provider *const providers[]; /* NULL terminated */

#endif
