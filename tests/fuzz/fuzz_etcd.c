/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fuzzes what etcd may answer: the first byte says whether the rest is a page, lines of a watch, or a value. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/etcd_decode.h"
#include "registry/instance_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size + 1);
	struct etcd_keys k = { 0 };
	struct etcd_range range;
	struct etcd_news news;
	struct found f = { 0 };
	size_t odd;

	if (!size || !text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 3) {
	case 0:
		etcd_read_range(text, size - 1, &k, &range);
		break;
	case 1:
		for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			etcd_read_watch(line, strlen(line), &k, &news);
		break;
	default:
		instance_read(text, size - 1, "id", NULL, &f);
	}
	for (size_t i = 1; i < k.nr; i++)
		if (strcmp(k.at[i - 1].key, k.at[i].key) > 0)
			abort();
	if (etcd_found(&k, &f, &odd) == 0 && f.nr > k.nr + 1)
		abort();
	for (size_t i = 0; i < f.nr; i++)
		if (!f.at[i].endpoint.port)
			abort();
	found_done(&f);
	etcd_keys_done(&k);
	return 0;
}
