/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* libcurl's multi interface on libuv. Inside discovery/ only. */
#ifndef DISCOVERY_HTTP_MULTI_H
#define DISCOVERY_HTTP_MULTI_H

#include <curl/curl.h>
#include <uv.h>

struct multi;

/* @done runs from the loop for each transfer that has ended. */
int multi_new(uv_loop_t *loop, void (*done)(CURL *easy, CURLcode code), struct multi **ret);
void multi_free(struct multi *m, void (*closed)(void *ctx), void *ctx);
int multi_add(struct multi *m, CURL *easy); /* 0 or -ENOMEM */
void multi_remove(struct multi *m, CURL *easy);

#endif
