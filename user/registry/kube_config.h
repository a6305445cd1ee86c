/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A kubeconfig file: what it says of one context. Pure but for nothing: text in, values out. */
#ifndef REGISTRY_KUBE_CONFIG_H
#define REGISTRY_KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct kube_bytes {
	char *at;
	size_t len;
};

/* NULL: not said. Paths are as written: relative ones are so to the file's folder. */
struct kube_config {
	char *server, *namespace;
	char *ca_file, *cert_file, *key_file, *token_file, *token;
	struct kube_bytes ca, cert, key; /* ...-data, decoded; they come before the files */
	bool insecure;
};

/*
 * @context NULL: current-context. 0; -EINVAL with a sentence in @error: it is not YAML, names what is not there, or
 * wants something that we do not do; -ENOMEM. What is in @ret is to be freed in any case.
 */
int kube_config_parse(const char *text, size_t len, const char *context, struct kube_config *ret, char *error,
		      size_t error_len);
void kube_config_done(struct kube_config *c); /* wipes secrets */

/* Standard base64, blanks between are fine. 0, -EINVAL or -ENOMEM. */
int kube_base64(const char *text, struct kube_bytes *ret);

#endif
