/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/registry.h"
#include "registry/kube_access.h"

#define POD_FOLDER  "/var/run/secrets/kubernetes.io/serviceaccount"
#define CONFIG_MOST ((size_t)4 * 1024 * 1024)

static void kube_access_unrefp(struct kube_access **a)
{
	kube_access_unref(*a);
}

void kube_access_unref(struct kube_access *a)
{
	if (!a || --a->refs)
		return;
	free(a->server);
	free(a->namespace);
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->token);
	free(a->token_file);
	free(a->ca);
	free(a->cert);
	free(a->key);
	closep(&a->ca_fd);
	closep(&a->cert_fd);
	closep(&a->key_fd);
	if (a->source.at)
		explicit_bzero(a->source.at, a->source.len);
	free(a->source.at);
	free(a);
}

static struct kube_access *access_new(void)
{
	struct kube_access *a = calloc(1, sizeof(*a));

	if (a) {
		a->refs = 1;
		a->ca_fd = a->cert_fd = a->key_fd = -1;
	}
	return a;
}

static int copy(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int set_server(struct kube_access *a, const char *url, char *error, size_t error_len)
{
	size_t len = strlen(url);

	if (strncmp(url, "https://", 8) && strncmp(url, "http://", 7)) {
		snprintf(error, error_len, "the server must be http:// or https://, not \"%s\"", url);
		return -EINVAL;
	}
	while (len && url[len - 1] == '/')
		len--;
	a->server = strndup(url, len);
	return a->server ? 0 : -ENOMEM;
}

/* ---- `server:` ---- */

static int load_options(struct kube_access *a, const struct options *o, char *error, size_t error_len)
{
	int r = set_server(a, options_text(o, "server", ""), error, error_len);

	if (!r)
		r = copy(options_text(o, "token", NULL), &a->token);
	if (!r)
		r = copy(options_text(o, "token-file", NULL), &a->token_file);
	http_tls_from(o, &a->tls);
	return r;
}

/* ---- in a pod ---- */

static int load_pod(struct kube_access *a, char *error, size_t error_len)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	bool v6 = host && strchr(host, ':');
	char url[300];
	int r;

	if (!host || !*host || !port || !*port) {
		snprintf(error, error_len,
			 "neither \"server\" nor \"kubeconfig\" is written, and this is no pod: "
			 "KUBERNETES_SERVICE_HOST is not set");
		return -EINVAL;
	}
	snprintf(url, sizeof(url), "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	r = set_server(a, url, error, error_len);
	if (!r)
		r = copy(POD_FOLDER "/token", &a->token_file);
	if (!r)
		r = copy(POD_FOLDER "/ca.crt", &a->ca);
	a->tls.ca = a->ca;
	a->namespace = secret_read(POD_FOLDER "/namespace");
	return r;
}

/* ---- `kubeconfig:` ---- */

static int read_file(const char *path, struct kube_bytes *ret)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd == -1 || fstat(fd, &st) == -1)
		return -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > CONFIG_MOST)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, (size_t)st.st_size);
	if (n == -1)
		return -errno;
	ret->at = MOVE(text, NULL);
	ret->len = (size_t)n;
	return 0;
}

/* A file that only this process has, named by /proc/self/fd. */
static int make_file(const struct kube_bytes *b, int *ret_fd, char **ret_path)
{
	char path[64];
	size_t done = 0;
	ssize_t n;

	*ret_fd = memfd_create("weft-kubeconfig", MFD_CLOEXEC);
	if (*ret_fd == -1)
		return -errno;
	fchmod(*ret_fd, 0600);
	while (done < b->len) {
		n = write(*ret_fd, b->at + done, b->len - done);
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *ret_fd);
	return copy(path, ret_path);
}

/* A path of the kubeconfig in @folder. */
static int resolve(const char *file, const char *path, char **ret)
{
	const char *slash = strrchr(file, '/');

	if (!path)
		return 0;
	if (*path == '/' || !slash)
		return copy(path, ret);
	if (asprintf(ret, "%.*s/%s", (int)(slash - file), file, path) == -1) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int take_file(const char *file, const struct kube_bytes *data, const char *path, int *ret_fd, char **ret)
{
	return data->at ? make_file(data, ret_fd, ret) : resolve(file, path, ret);
}

static int take_config(struct kube_access *a, const char *file, struct kube_config *c, char *error, size_t error_len)
{
	int r = set_server(a, c->server, error, error_len);

	a->namespace = MOVE(c->namespace, NULL);
	a->token = MOVE(c->token, NULL);
	if (!r)
		r = resolve(file, c->token_file, &a->token_file);
	if (!r)
		r = take_file(file, &c->ca, c->ca_file, &a->ca_fd, &a->ca);
	if (!r)
		r = take_file(file, &c->cert, c->cert_file, &a->cert_fd, &a->cert);
	if (!r)
		r = take_file(file, &c->key, c->key_file, &a->key_fd, &a->key);
	a->tls = (struct http_tls){ .ca = a->ca, .cert = a->cert, .key = a->key, .insecure = c->insecure };
	return r;
}

static int load_config(struct kube_access *a, const char *file, const struct options *o, struct kube_access *before,
		       char *error, size_t error_len)
{
	struct kube_config c = { 0 };
	char why[256] = "";
	int r = read_file(file, &a->source);

	if (r) {
		snprintf(error, error_len, "cannot read %s: %s", file, log_strerror(r));
		return r == -EINVAL ? -EIO : r;
	}
	if (before && before->source.at && before->source.len == a->source.len &&
	    !memcmp(before->source.at, a->source.at, a->source.len))
		return 1;
	r = kube_config_parse(a->source.at, a->source.len, options_text(o, "context", NULL), &c, why, sizeof(why));
	if (!r)
		r = take_config(a, file, &c, why, sizeof(why));
	kube_config_done(&c);
	if (r)
		snprintf(error, error_len, "%s: %s", file, *why ? why : log_strerror(r));
	return r;
}

int kube_access_load(const struct options *o, struct kube_access *before, struct kube_access **ret, char *error,
		     size_t error_len)
{
	_cleanup_(kube_access_unrefp) struct kube_access *a = access_new();
	const char *file = options_text(o, "kubeconfig", NULL);
	int r;

	snprintf(error, error_len, "no memory");
	if (!a)
		return -ENOMEM;
	if (options_text(o, "server", NULL))
		r = load_options(a, o, error, error_len);
	else if (file)
		r = load_config(a, file, o, before, error, error_len);
	else
		r = load_pod(a, error, error_len);
	if (r < 0)
		return r;
	if (r == 1) {
		before->refs++;
		*ret = before;
		return 0;
	}
	if (!a->namespace || !*a->namespace) {
		free(a->namespace);
		a->namespace = strdup("default");
		if (!a->namespace)
			return -ENOMEM;
	}
	*ret = MOVE(a, NULL);
	return 0;
}

int kube_access_header(const struct kube_access *a, char **ret, char *error, size_t error_len)
{
	_cleanup_(freep) char *read = NULL;
	const char *token = a->token;

	*ret = NULL;
	if (a->token_file) { /* it comes before a token, as for others that read kubeconfig */
		read = secret_read(a->token_file);
		if (!read) {
			int r = -errno;

			snprintf(error, error_len, "cannot read the token in %s: %s", a->token_file, log_strerror(r));
			return r;
		}
		token = read;
	}
	if (!token)
		return 0;
	if (asprintf(ret, "Authorization: Bearer %s", token) == -1) {
		*ret = NULL;
		snprintf(error, error_len, "no memory");
		return -ENOMEM;
	}
	if (read)
		explicit_bzero(read, strlen(read));
	return 0;
}
