/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One call of the binary, from the command line to the exit code. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/capability.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/view.h"
#include "plane/plane.h"

int cli_open_failed(struct cli *cli, int r, const char *dir, unsigned abi)
{
	if (r == -ENOENT)
		return out_error(
			cli->out,
			"nothing is loaded as instance \"%s\"; start `weft agent -c FILE` or `weft load -c FILE`",
			cli->value[CLI_INSTANCE]);
	if (r == -EPERM || r == -EACCES)
		return out_error(cli->out, "reading %s needs root (or CAP_BPF and read access)", dir);
	if (r == -EPROTO)
		return out_error(cli->out,
				 "instance \"%s\" was loaded by a weft with map layout %u, this one knows %u; use that "
				 "weft, or unload "
				 "and load again",
				 cli->value[CLI_INSTANCE], abi, WEFT_ABI);
	return out_error(cli->out, "cannot read the maps in %s: %s", dir, log_strerror(r));
}

int cli_open(struct cli *cli, bool writable)
{
	char dir[PATH_MAX];
	uint32_t abi = 0;
	int r;

	if (!plane_dir(cli->value[CLI_BPFFS], cli->value[CLI_INSTANCE], dir, sizeof(dir)))
		return out_error(cli->out, "the name of the BPF file system is too long");
	r = maps_open(dir, writable, &cli->maps, &abi);
	if (r < 0)
		return cli_open_failed(cli, r, dir, abi);
	r = view_read(cli->maps, &cli->view);
	if (r < 0)
		return out_error(cli->out, "cannot read the maps in %s: %s", dir, log_strerror(r));
	return 0;
}

int cmd_help(struct cli *cli, int argc, const char *const *argv)
{
	char words[128] = "";

	for (int i = 0; i < argc; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", i ? " " : "", argv[i]);
	if (cli_help(cli->out->to, argc ? words : NULL))
		return CLI_DONE;
	out_error(cli->out, "there is no command \"%s\"; try \"weft help\"", words);
	return CLI_USAGE;
}

/* Asked first, so that the answer is this sentence and not the first thing that fails for want of it. */
static bool may_load(void)
{
	cap_flag_value_t has = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (caps)
		cap_get_flag(caps, CAP_BPF, CAP_EFFECTIVE, &has);
	cap_free(caps);
	return has == CAP_SET;
}

/* -h and --version count wherever they stand, also after a verb that misses something. */
static int run(struct cli *cli)
{
	int used = 0;

	if (cli->given & CLI_BIT(HELP))
		return cmd_help(cli, cli_find(cli->word, cli->nr_words, &used) ? used : cli->nr_words, cli->word);
	if (cli->given & CLI_BIT(VERSION))
		return cmd_version(cli, 0, NULL);
	cli_find(cli->word, cli->nr_words, &used);
	if ((cli->cmd->flags & CMD_NEEDS_ROOT) && !(cli->given & CLI_BIT(CHECK)) && !may_load())
		return out_error(cli->out, "weft %s needs root (or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)",
				 cli->cmd->words);
	return cli->cmd->run(cli, cli->nr_words - used, cli->word + used);
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
	struct cli cli = { 0 };
	_cleanup_(out_freep) struct out *text = out_new(NULL, out, err);
	_cleanup_(out_freep) struct out *o = NULL;
	int code, r;

	log_init();
	if (!text)
		return CLI_FAILED;
	code = cli_parse(&cli, argc, argv);
	if (code) {
		out_error(text, "%s", cli.error);
		return code;
	}
	o = out_new(cli.value[CLI_OUTPUT], out, err);
	if (!o) {
		out_error(text, "cannot write \"%s\"", cli.value[CLI_OUTPUT]);
		return CLI_USAGE;
	}
	cli.out = o;
	code = run(&cli);
	r = out_finish(o);
	view_free(cli.view);
	maps_close(cli.maps);
	/* A reader that went away (head, less) is no failure of ours to report. */
	if (r < 0 && r != -EPIPE && code == CLI_DONE)
		return out_error(text, "cannot write the output: %s", log_strerror(r));
	return code;
}
