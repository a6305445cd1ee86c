/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where the API server is and how to be let in. In this order: `server:` with `token-file:` and the like;
 * `kubeconfig:`; what Kubernetes gives every pod. Certificates that a kubeconfig holds itself are in memory files of
 * this process, for libraries that want a path. Loaded anew with each list and watch: files change.
 */
#ifndef REGISTRY_KUBE_ACCESS_H
#define REGISTRY_KUBE_ACCESS_H

#include "discovery/http.h"
#include "registry/kube_config.h"

struct kube_access {
	unsigned refs;
	char *server;	 /* "https://10.0.0.1:6443", without a slash at the end */
	char *namespace; /* of our own; "default" when nobody says */
	char *token;	 /* NULL: none */
	char *token_file;
	struct http_tls tls;
	char *ca, *cert, *key; /* paths that tls names */
	int ca_fd, cert_fd, key_fd;
	struct kube_bytes source; /* text of the kubeconfig */
};

/*
 * @before: NULL, or what was loaded last, which is returned again with a reference more when nothing is different.
 * 0; negative errno with a sentence in @error: -EINVAL will not go away by itself.
 */
int kube_access_load(const struct options *o, struct kube_access *before, struct kube_access **ret, char *error,
		     size_t error_len);
void kube_access_unref(struct kube_access *a); /* NULL is fine */

/* "Authorization: Bearer ..." with the token as it is now, to be freed; *ret NULL: none is wanted. 0, or negative errno
 * with a sentence. */
int kube_access_header(const struct kube_access *a, char **ret, char *error, size_t error_len);

#endif
