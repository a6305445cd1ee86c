/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft metrics, version */
#include <string.h>

#include "base/log.h"
#include "cli/cmd.h"
#include "commit.h"
#include "plane/plane.h"
#include "telemetry/metrics.h"

#define SERIES_MAX 100000 /* the default of metrics.max-series */

int cmd_metrics(struct cli *cli, int argc, const char *const *argv)
{
	struct metrics_options o = {
		.format = cli->given & CLI_BIT(OPENMETRICS) ? METRICS_OPENMETRICS : METRICS_PROMETHEUS,
		.callers = true,
		.endpoints = true,
		.max_series = SERIES_MAX,
	};
	int r;

	if (cli_open(cli, false))
		return CLI_FAILED;
	r = metrics_write(cli->maps, &o, cli->out->to);
	return r < 0 ? out_error(cli->out, "the page is not complete: %s", log_strerror(r)) : CLI_DONE;
}

int cmd_version(struct cli *cli, int argc, const char *const *argv)
{
	struct out *o = cli->out;

	out_note(o, NULL, "weft %s (%s, abi %d, libbpf %s)", WEFT_VERSION, WEFT_COMMIT, WEFT_ABI,
		 plane_libbpf_version());
	out_field(o, "version", "", out_text(WEFT_VERSION));
	out_field(o, "commit", "", out_text(WEFT_COMMIT));
	out_field(o, "abi", "", out_int(WEFT_ABI));
	out_field(o, "libbpf", "", out_text(plane_libbpf_version()));
	return CLI_DONE;
}
