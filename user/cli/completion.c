/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Completion, made from the table of commands. The three shells get the same rules: after a verb its second word, then
 * what its arguments stand for; after an option its values; services are asked from weft itself.
 */
#include <string.h>

#include "cli/cmd.h"
#include "plane/maps.h"

/* compgen -W expands what it is given: a name with "$" in it must not come that far. */
#define SERVICES "weft service list 2>/dev/null | awk 'NR > 1 && $1 !~ /[^A-Za-z0-9._:\\/@+-]/ { print $1 }'"

static void put_maps(struct out *o)
{
#define X(id, name, text) out_raw(o, " %s", strchr(name, '_') + 1);
	PLANE_MAPS(X)
#undef X
}

/* What @args wants first, as shell words: literal alternatives, or a command substitution. */
static void put_args(struct out *o, const char *args)
{
	if (strstr(args, "SERVICE") || strstr(args, "NAME")) {
		out_raw(o, "$(" SERVICES ")");
	} else if (strstr(args, "MAP")) {
		put_maps(o);
	} else if (strstr(args, "COMMAND")) {
		for (const struct cmd *c = cli_commands; c->words; c++)
			if (!strchr(c->words, ' '))
				out_raw(o, " %s", c->words);
		out_raw(o, " service endpoint source");
	} else {
		const char *literal = strpbrk(args, "abcdefghijklmnopqrstuvwxyz");

		for (; literal && *literal && *literal != ']'; literal++)
			out_raw(o, "%c", *literal == '|' ? ' ' : *literal);
	}
}

static void put_options(struct out *o, unsigned set)
{
	for (int i = 0; i < CLI_OPTION_MAX; i++) {
		if (!(set & 1u << i))
			continue;
		out_raw(o, " --%s", cli_options[i].word);
		if (cli_options[i].letter)
			out_raw(o, " -%c", cli_options[i].letter);
	}
}

/* First words, each once: rows of one group stand together. */
static void put_verbs(struct out *o)
{
	const char *last = "";

	for (const struct cmd *c = cli_commands; c->words; c++) {
		size_t len = strcspn(c->words, " ");

		if (strlen(last) >= len && strncmp(last, c->words, len) == 0 && strcspn(last, " ") == len)
			continue;
		out_raw(o, " %.*s", (int)len, c->words);
		last = c->words;
	}
}

static void put_bash_rows(struct out *o)
{
	const char *group = "";

	for (const struct cmd *c = cli_commands; c->words; c++) {
		const char *space = strchr(c->words, ' ');

		if (space && strncmp(group, c->words, (size_t)(space - c->words + 1)) != 0) {
			out_raw(o, "\t'%.*s ') words=\"", (int)(space - c->words), c->words);
			for (const struct cmd *d = c; d->words; d++)
				if (strncmp(d->words, c->words, (size_t)(space - c->words + 1)) == 0)
					out_raw(o, " %s", strchr(d->words, ' ') + 1);
			out_raw(o, "\" ;;\n");
			group = c->words;
		}
		out_raw(o, "\t'%s%s') words=\"", c->words, space ? "" : " ");
		put_args(o, c->args);
		out_raw(o, "\" options=\"");
		put_options(o, c->options);
		out_raw(o, "\"%s ;;\n", strstr(c->args, "FILE") ? " files=1" : "");
	}
}

/* Where -o names a file. */
static void put_bash_output(struct out *o)
{
	for (const struct cmd *c = cli_commands; c->words; c++)
		if (c->options & CLI_BIT(TO))
			out_raw(o,
				"\tif [[ ( $prev == -o || $prev == --output ) && \" ${COMP_WORDS[*]} \" == *\" %s \"* "
				"]]; then\n"
				"\t\tCOMPREPLY=($(compgen -f -- \"$cur\")); return\n\tfi\n",
				c->words);
}

/* Zsh runs the bash function through its own bashcompinit. */
static void put_bash(struct out *o)
{
	out_raw(o, "_weft()\n{\n"
		   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= noun= words= options= "
		   "skip= files= i\n"
		   "\tCOMPREPLY=()\n");
	put_bash_output(o);
	out_raw(o, "\tcase $prev in\n"
		   "\t-o|--output) COMPREPLY=($(compgen -W 'table wide json' -- \"$cur\")); return ;;\n"
		   "\t-c|--config|-s|--socket) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
		   "\t--bpffs) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
		   "\t-i|--instance) COMPREPLY=($(compgen -W \"$(ls /sys/fs/bpf/weft 2>/dev/null)\" -- \"$cur\")); "
		   "return ;;\n"
		   "\tesac\n"
		   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		   "\t\tif [[ -n $skip ]]; then skip=; continue; fi\n"
		   "\t\tcase ${COMP_WORDS[i]} in\n"
		   "\t\t-o|-c|-i|-s|--output|--config|--instance|--socket|--bpffs) skip=1 ;;\n"
		   "\t\t-*) ;;\n"
		   "\t\t*) if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; elif [[ -z $noun ]]; then "
		   "noun=${COMP_WORDS[i]}; fi ;;\n"
		   "\t\tesac\n"
		   "\tdone\n"
		   "\tcase $verb in service|endpoint) ;; *) noun= ;; esac\n"
		   "\tcase \"$verb $noun\" in\n"
		   "\t' ') words=\"");
	put_verbs(o);
	out_raw(o, "\" ;;\n");
	put_bash_rows(o);
	out_raw(o, "\tesac\n\tif [[ $cur == -* ]]; then\n\t\twords=\"$options");
	put_options(o, CLI_GLOBAL);
	out_raw(o, "\"\n\telif [[ -n $files ]]; then\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\")); return\n\tfi\n"
		   "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _weft weft\n");
}

/* A description, and the end of the line. */
static void put_fish_text(struct out *o, const char *text)
{
	out_raw(o, " -d '");
	for (; *text; text++)
		out_raw(o, "%s%c", *text == '\'' ? "\\" : "", *text);
	out_raw(o, "'\n");
}

static void put_fish_option(struct out *o, int id, const char *condition)
{
	const struct cli_option_row *row = &cli_options[id];

	out_raw(o, "complete -c weft %s -l %s", condition, row->word);
	if (row->letter)
		out_raw(o, " -s %c", row->letter);
	if (row->arg && strchr(row->arg, '|'))
		out_raw(o, " -xa 'table wide json'");
	else if (row->arg)
		out_raw(o, strcmp(row->arg, "NAME") == 0 ? " -x" : " -rF");
	put_fish_text(o, row->help);
}

static void put_fish(struct out *o)
{
	out_raw(o, "complete -c weft -f\n");
	for (int i = 0; i < CLI_OPTION_MAX; i++)
		if (CLI_GLOBAL & 1u << i)
			put_fish_option(o, i, "");
	for (const struct cmd *c = cli_commands; c->words; c++) {
		const char *space = strchr(c->words, ' ');
		int len = (int)strcspn(c->words, " ");
		char condition[128];

		out_raw(o, "complete -c weft -n __fish_use_subcommand -a %.*s", len, c->words);
		if (space)
			out_raw(o, "\ncomplete -c weft -n '__fish_seen_subcommand_from %.*s' -a %s", len, c->words,
				space + 1);
		put_fish_text(o, c->help);
		snprintf(condition, sizeof(condition), "-n '__fish_seen_subcommand_from %s'",
			 space ? space + 1 : c->words);
		for (int i = 0; i < CLI_OPTION_MAX; i++)
			if (c->options & 1u << i)
				put_fish_option(o, i, condition);
		if (!*c->args || strstr(c->args, "ADDRESS"))
			continue;
		if (strstr(c->args, "FILE")) {
			out_raw(o, "complete -c weft -n '__fish_seen_subcommand_from %s' -F\n", c->words);
			continue;
		}
		out_raw(o, "complete -c weft -n '__fish_seen_subcommand_from %s' -a \"", space ? space + 1 : c->words);
		/* fish of before 3.4 has no $(); its own form works in all */
		if (strstr(c->args, "SERVICE") || strstr(c->args, "NAME"))
			out_raw(o, "(weft service list 2>/dev/null | string match -rg '^([A-Za-z0-9._:/@+-]+) ' | "
				   "tail -n +2)");
		else
			put_args(o, c->args);
		out_raw(o, "\"\n");
	}
}

int cmd_completion(struct cli *cli, int argc, const char *const *argv)
{
	if (strcmp(argv[0], "fish") == 0) {
		put_fish(cli->out);
		return CLI_DONE;
	}
	if (strcmp(argv[0], "zsh") == 0)
		out_raw(cli->out, "#compdef weft\nautoload -U +X bashcompinit && bashcompinit\n");
	put_bash(cli->out);
	return CLI_DONE;
}
