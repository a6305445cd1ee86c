/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Words that are kept for good. A million endpoints name a handful of zones: one copy of each word and comparing
 * pointers is what makes that cheap. There are as many words as an operator has zones, so none is ever freed.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "model/service.h"

#define BUCKETS 256

struct kept {
	struct kept *next;
	char text[];
};

static struct kept *kept[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned bucket(const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return (h ^ h >> 16) % BUCKETS;
}

static const char *find(struct kept **head, const char *text)
{
	size_t size = strlen(text) + 1;
	struct kept *k;

	for (k = *head; k; k = k->next)
		if (!strcmp(k->text, text))
			return k->text;
	k = malloc(sizeof(*k) + size);
	if (!k)
		return NULL;
	memcpy(k->text, text, size);
	k->next = *head;
	*head = k;
	return k->text;
}

const char *word_keep(const char *text)
{
	const char *found;

	pthread_mutex_lock(&lock);
	found = find(&kept[bucket(text)], text);
	pthread_mutex_unlock(&lock);
	return found;
}
