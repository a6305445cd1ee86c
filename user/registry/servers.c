/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>

#include "registry/servers.h"

void http_servers_done(struct http_servers *s)
{
	for (size_t i = 0; i < s->nr; i++)
		free(s->at[i]);
	free(s->at);
	*s = (struct http_servers){ 0 };
}

int http_servers_read(struct registry *r, int (*parse)(const char *text, char **ret), const char *example,
		      struct http_servers *ret)
{
	char *const *list = options_list(r->options, "servers");
	size_t nr = 0;

	while (list[nr])
		nr++;
	*ret = (struct http_servers){ .at = calloc(nr ? nr : 1, sizeof(*ret->at)) };
	if (!ret->at)
		return -ENOMEM;
	for (; ret->nr < nr; ret->nr++) {
		int error = parse(list[ret->nr], &ret->at[ret->nr]);

		if (error == -EINVAL)
			registry_failed(r, "\"%s\" is no server: write %s", list[ret->nr], example);
		if (error) {
			http_servers_done(ret);
			return error;
		}
	}
	return 0;
}
