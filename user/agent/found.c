/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/filing.h"
#include "agent/found.h"
#include "agent/register.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "registry/providers.h"

#define REST_SHARE 3 /* publishing rests this many times as long as it worked */

static void publish(struct agent *a)
{
	uint64_t start = uv_hrtime(), took;

	reload_found(a);
	filing_look(a);
	took = (uv_hrtime() - start) / 1000000;
	uv_update_time(&a->loop);
	a->found_rest_until = uv_now(&a->loop) + took * REST_SHARE;
}

static void on_rested(uv_timer_t *timer)
{
	publish(timer->data);
}

/* Under a storm of changes each round takes in all that came since the last. */
static void on_changed(void *ctx)
{
	struct agent *a = ctx;
	uint64_t now = uv_now(&a->loop);

	if (!a->ready || uv_is_active((uv_handle_t *)&a->found_timer))
		return;
	if (now >= a->found_rest_until)
		publish(a);
	else
		uv_timer_start(&a->found_timer, on_rested, a->found_rest_until - now, 0);
}

static int open_discovery(struct agent *a, const struct config *c)
{
	_cleanup_(freep) char *dir = NULL;
	struct discovery_options o = {
		.loop = &a->loop, .providers = providers, .zone = c->zone, .changed = on_changed, .ctx = a
	};

	if (asprintf(&dir, "/run/weft/%s.found", a->settings.instance) < 0)
		return -ENOMEM;
	o.state_dir = dir;
	uv_timer_init(&a->loop, &a->found_timer);
	a->found_timer.data = a;
	return discovery_new(&o, &a->discovery);
}

static bool is_needed(const struct config *c)
{
	return c->nr_registries > 0;
}

int found_apply(struct agent *a, const struct config *c, struct model **written, struct model **ret_model)
{
	int r;

	if (!a->discovery && is_needed(c)) {
		r = open_discovery(a, c);
		if (r < 0)
			return r;
	}
	if (!a->discovery) {
		model_free(MOVE(a->written_model, NULL));
		*ret_model = MOVE(*written, NULL);
		return 0;
	}
	r = discovery_configure(a->discovery, c, *written);
	if (r == 0)
		r = discovery_model(a->discovery, *written, ret_model);
	if (r < 0)
		return r;
	model_free(MOVE(a->written_model, NULL));
	a->written_model = MOVE(*written, NULL);
	if (a->plane)
		register_apply(a, c);
	return 0;
}

void found_close(struct agent *a)
{
	if (!a->discovery)
		return;
	register_done(a);
	uv_close((uv_handle_t *)&a->found_timer, NULL);
	discovery_close(MOVE(a->discovery, NULL), NULL, NULL);
	model_free(MOVE(a->written_model, NULL));
}
