/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What no rule of scripts/check-style may catch: strcpy() and typedef struct in a comment, printf() in one too. */
#include <stdio.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b)) /* return and goto in a comment */
#define TEXT	  "return to sprintf(1)"

struct thing {
	int x;
};

static int format(char *to, size_t len) __attribute__((format(printf, 1, 2)));

int f(FILE *out)
{
	_cleanup_(closep) int fd = -1;
	char text[32];

	snprintf(text, sizeof(text), "%d", fd);
	fprintf(out, "%s with strcpy(", text);
	return 0;
}
