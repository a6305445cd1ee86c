/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <stdlib.h>
#include <string.h>

#include "agent/filing.h"
#include "agent/state.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "discovery/output.h"

#define FILES_AT_ONCE 64 /* then the loop turns */
#define PAUSE_MS      1
#define RETRY_MS      5000

struct filing {
	struct output *output; /* NULL: not wanted */
	uv_timer_t timer;
	char said[1024]; /* the failure that the log was told; "": none */
};

static void on_timer(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	struct filing *f = a->filing;
	char text[sizeof(f->said)];
	int r;

	r = output_step(f->output, a->discovery, FILES_AT_ONCE, text, sizeof(text));
	if (r < 0 && strcmp(text, f->said) != 0) {
		log_msg(LOG_L_WARNING, "%s; trying again every %d s", text, RETRY_MS / 1000);
		memcpy(f->said, text, sizeof(text));
	} else if (r == 0 && *f->said) {
		log_msg(LOG_L_INFO, "services are written to %s again", output_dir(f->output));
		*f->said = '\0';
	}
	if (r)
		uv_timer_start(timer, on_timer, r > 0 ? PAUSE_MS : RETRY_MS, 0);
}

/* Files that nobody keeps up any more would mislead. */
static void leave_dir(struct filing *f)
{
	struct model none = { 0 };
	char text[sizeof(f->said)];
	int r;

	uv_timer_stop(&f->timer);
	*f->said = '\0';
	r = output_set(f->output, NULL, &none);
	while (!r && (r = output_step(f->output, NULL, 1000, text, sizeof(text))) > 0)
		r = 0;
	if (r < 0)
		log_msg(LOG_L_WARNING, "files of services are left in %s: %s", output_dir(f->output), log_strerror(r));
	output_free(MOVE(f->output, NULL));
}

static bool set_up(struct agent *a)
{
	if (a->filing)
		return true;
	a->filing = calloc(1, sizeof(*a->filing));
	if (!a->filing)
		return false;
	uv_timer_init(&a->loop, &a->filing->timer);
	a->filing->timer.data = a;
	return true;
}

void filing_look(struct agent *a)
{
	const char *dir = a->config ? a->config->file_output : NULL;
	struct filing *f;
	int r = 0;

	if ((!dir && !a->filing) || !set_up(a))
		return;
	f = a->filing;
	if (f->output && (!dir || strcmp(dir, output_dir(f->output)) != 0))
		leave_dir(f);
	if (!dir || !a->model)
		return;
	if (!f->output)
		r = output_new(dir, a->settings.instance, &f->output);
	if (r == 0)
		r = output_set(f->output, a->discovery, a->model);
	if (r < 0) {
		log_err(r, "cannot write services to %s", dir);
		return;
	}
	/* Also after a failure: there is something new, and the folder may be there now. */
	uv_timer_start(&f->timer, on_timer, 0, 0);
}

static void on_closed(uv_handle_t *handle)
{
	free((char *)handle - offsetof(struct filing, timer));
}

void filing_done(struct agent *a)
{
	struct filing *f = MOVE(a->filing, NULL);

	if (!f)
		return;
	output_free(f->output);
	uv_close((uv_handle_t *)&f->timer, on_closed);
}
