/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Help, made from the table of commands. */
#include <string.h>

#include "cli/cmd.h"

#define HELP_COLUMN 32

static void help_option(FILE *out, int id)
{
	const struct cli_option_row *row = &cli_options[id];
	char text[96], letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(text, sizeof(text), "%s--%s%s%s", letter, row->word, row->arg ? " " : "", row->arg ? row->arg : "");
	fprintf(out, "  %-*s %s\n", HELP_COLUMN, text, row->help);
}

static void help_options(FILE *out, const char *title, unsigned set)
{
	if (!set)
		return;
	fprintf(out, "\n%s:\n", title);
	for (int i = 0; i < CLI_OPTION_MAX; i++)
		if (set & 1u << i)
			help_option(out, i);
}

static void help_row(FILE *out, const struct cmd *c)
{
	char text[96];

	snprintf(text, sizeof(text), "%s%s%s", c->words, *c->args ? " " : "", c->args);
	fprintf(out, "  %-*s %s\n", HELP_COLUMN, text, c->help);
}

static void help_command(FILE *out, const struct cmd *c)
{
	fprintf(out, "usage: weft %s", c->words);
	for (int i = 0; i < CLI_OPTION_MAX; i++)
		if (c->required & 1u << i)
			fprintf(out, " -%c %s", cli_options[i].letter, cli_options[i].arg);
	if (c->options & ~c->required)
		fprintf(out, " [OPTIONS]");
	fprintf(out, "%s%s\n%s%s\n", *c->args ? " " : "", c->args, c->help, c->flags & CMD_NEEDS_ROOT ? " (root)" : "");
	help_options(out, "options", c->options);
	help_options(out, "options of all commands",
		     c->options & CLI_BIT(TO) ? CLI_GLOBAL & ~CLI_BIT(OUTPUT) : CLI_GLOBAL);
}

bool cli_help(FILE *out, const char *words)
{
	size_t len = words ? strlen(words) : 0;
	bool found = false;

	for (const struct cmd *c = cli_commands; len && c->words; c++) {
		if (strcmp(c->words, words) == 0) {
			help_command(out, c);
			return true;
		}
	}
	for (const struct cmd *c = cli_commands; c->words; c++) {
		if (len && (strncmp(c->words, words, len) != 0 || c->words[len] != ' '))
			continue;
		if (!found)
			fprintf(out, "usage: weft [OPTIONS] COMMAND [ARGUMENTS]\n\ncommands:\n");
		found = true;
		help_row(out, c);
	}
	if (found)
		help_options(out, "options of all commands", CLI_GLOBAL);
	if (found && !len)
		fprintf(out, "\nexit codes: 0 done, 1 failed, 2 usage. weft(8) is the manual.\n");
	return found;
}
