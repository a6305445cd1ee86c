/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stddef.h>

#include "registry/providers.h"

const struct provider *const providers[] = {
	&provider_dns,	     &provider_kubernetes, &provider_consul, &provider_etcd,
	&provider_zookeeper, &provider_eureka,	   &provider_envoy,  NULL,
};
