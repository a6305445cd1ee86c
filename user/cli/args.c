/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The command line. Options may stand anywhere; which of them a command takes is in its row. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"

static int usage(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int usage(struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cli->error, sizeof(cli->error), fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}

/* Levenshtein's distance with transpositions of neighbours; words longer than this are nobody's typing mistake. */
#define WORD_MAX 32

static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
			best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

const char *cli_nearest(const char *word, const char *const *candidates)
{
	const char *best = NULL;
	size_t best_distance = 3; /* two mistakes at most, and fewer than half of the word */

	for (; *candidates; candidates++) {
		size_t n = distance(word, *candidates);

		if (n < best_distance && n * 2 <= strlen(*candidates)) {
			best = *candidates;
			best_distance = n;
		}
	}
	return best;
}

static int words_in(const char *text)
{
	int n = 0;

	for (const char *p = text; *p; p++)
		n += *p != ' ' && (p == text || p[-1] == ' ');
	return n;
}

/* Do the first words of the row equal these? */
static bool row_matches(const char *row, const char *const *words, int nr)
{
	for (int i = 0; i < nr; i++) {
		size_t len = strcspn(row, " ");

		if (strlen(words[i]) != len || strncmp(row, words[i], len) != 0)
			return false;
		row += len;
		row += *row == ' ';
	}
	return true;
}

const struct cmd *cli_find(const char *const *words, int nr, int *ret_words)
{
	for (const struct cmd *c = cli_commands; c->words; c++) {
		int n = words_in(c->words);

		if (n <= nr && row_matches(c->words, words, n)) {
			*ret_words = n;
			return c;
		}
	}
	return NULL;
}

static int parse_letter(struct cli *cli, char letter)
{
	for (int i = 0; i < CLI_OPTION_MAX; i++)
		if (letter && cli_options[i].letter == letter)
			return i;
	return usage(cli, "unknown option \"-%c\"; try \"weft help\"", letter), -1;
}

static int parse_word(struct cli *cli, const char *word, size_t len)
{
	const char *known[CLI_OPTION_MAX + 1] = { NULL };
	char name[WORD_MAX + 1];
	const char *near;

	for (int i = 0; i < CLI_OPTION_MAX; i++) {
		if (strlen(cli_options[i].word) == len && strncmp(cli_options[i].word, word, len) == 0)
			return i;
		known[i] = cli_options[i].word;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), word);
	near = cli_nearest(name, known);
	if (near)
		usage(cli, "unknown option \"--%s\"; did you mean \"--%s\"?", name, near);
	else
		usage(cli, "unknown option \"--%s\"; try \"weft help\"", name);
	return -1;
}

static int take(struct cli *cli, int id, const char *value, int argc, char **argv, int *i)
{
	const struct cli_option_row *row = &cli_options[id];

	cli->given |= 1u << id;
	if (!row->arg)
		return value ? usage(cli, "option \"--%s\" takes no value", row->word) : 0;
	if (!value && *i + 1 < argc)
		value = argv[++*i];
	if (!value || !*value)
		return usage(cli, "option \"--%s\" wants %s", row->word, row->arg);
	cli->value[id] = value;
	return 0;
}

/* argv[*i] begins with "-". Letters without an argument may stand together: "-vh". */
static int parse_option(struct cli *cli, int argc, char **argv, int *i)
{
	const char *arg = argv[*i];
	int id, r;

	if (arg[1] == '-') {
		const char *equals = strchr(arg, '=');

		id = parse_word(cli, arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
		return id < 0 ? CLI_USAGE : take(cli, id, equals ? equals + 1 : NULL, argc, argv, i);
	}
	for (const char *p = arg + 1; *p; p++) {
		id = parse_letter(cli, *p);
		if (id < 0)
			return CLI_USAGE;
		if (cli_options[id].arg)
			return take(cli, id, p[1] ? p + 1 : NULL, argc, argv, i);
		r = take(cli, id, NULL, argc, argv, i);
		if (r)
			return r;
	}
	return 0;
}

/* "service lst", "servce list", "service": what was meant? */
static int unknown_command(struct cli *cli)
{
	const char *first[64], *second[64];
	char known[1024] = "";
	int nr_first = 0, nr_second = 0;
	const char *near;

	for (const struct cmd *c = cli_commands; c->words && nr_first < 63; c++) {
		const char *space = strchr(c->words, ' ');

		first[nr_first++] = space ? strndupa(c->words, (size_t)(space - c->words)) : c->words;
		if (!space || strcmp(first[nr_first - 1], cli->word[0]) != 0)
			continue;
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", nr_second ? ", " : "",
			 space + 1);
		second[nr_second++] = space + 1;
	}
	first[nr_first] = NULL;
	second[nr_second] = NULL;
	if (nr_second && cli->nr_words == 1)
		return usage(cli, "\"%s\" wants one of: %s", cli->word[0], known);
	if (nr_second) {
		near = cli_nearest(cli->word[1], second);
		if (near)
			return usage(cli, "unknown command \"%s %.64s\"; did you mean \"%s %s\"?", cli->word[0],
				     cli->word[1], cli->word[0], near);
		return usage(cli, "unknown command \"%s %.64s\"; \"%s\" wants one of: %s", cli->word[0], cli->word[1],
			     cli->word[0], known);
	}
	near = cli_nearest(cli->word[0], first);
	if (near)
		return usage(cli, "unknown command \"%.64s\"; did you mean \"%s\"?", cli->word[0], near);
	return usage(cli, "unknown command \"%.64s\"; try \"weft help\"", cli->word[0]);
}

/* Is @word one of the literal alternatives of @args, "a|b|c" of the given position? Free words (upper case) take
 * anything. */
static bool arg_fits(const char *args, int position, const char *word)
{
	while (position--) {
		args += strcspn(args, " ");
		args += *args == ' ';
	}
	args += *args == '[';
	if (isupper((unsigned char)*args))
		return true;
	while (*args && *args != ' ' && *args != ']') {
		size_t len = strcspn(args, "|] ");

		if (strlen(word) == len && strncmp(args, word, len) == 0)
			return true;
		args += len;
		args += *args == '|';
	}
	return false;
}

static int check_words(struct cli *cli, int nr, const char *const *word)
{
	const struct cmd *c = cli->cmd;
	int most = words_in(c->args), least = most;

	/* "help service show": the rest names a command */
	if (c->run == cmd_help)
		return 0;
	for (const char *p = c->args; *p; p++)
		least -= *p == '[';
	if (nr < least)
		return usage(cli, "\"weft %s\" wants %s", c->words, c->args);
	if (strstr(c->args, "...]"))
		return 0;
	if (nr > most)
		return usage(cli, "\"weft %s\" does not know what to do with \"%.64s\"", c->words, word[most]);
	for (int i = 0; i < nr; i++)
		if (!arg_fits(c->args, i, word[i]))
			return usage(cli, "\"weft %s\" wants %s, not \"%.64s\"", c->words, c->args, word[i]);
	return 0;
}

static int check_options(struct cli *cli)
{
	const char *instance = cli->value[CLI_INSTANCE];
	const struct cmd *c = cli->cmd;
	const char *o;

	if ((c->options & CLI_BIT(TO)) && (cli->given & CLI_BIT(OUTPUT))) {
		cli->value[CLI_TO] = cli->value[CLI_OUTPUT];
		cli->value[CLI_OUTPUT] = NULL;
		cli->given = (cli->given & ~CLI_BIT(OUTPUT)) | CLI_BIT(TO);
	}
	o = cli->value[CLI_OUTPUT];
	for (int i = 0; i < CLI_OPTION_MAX; i++) {
		if (cli->given & ~(CLI_GLOBAL | c->options) & 1u << i)
			return usage(cli, "\"weft %s\" takes no option \"--%s\"", c->words, cli_options[i].word);
		if (c->required & ~cli->given & 1u << i)
			return usage(cli, "\"weft %s\" wants -%c %s", c->words, cli_options[i].letter,
				     cli_options[i].arg);
	}
	if (o && !arg_fits(cli_options[CLI_OUTPUT].arg, 0, o))
		return usage(cli, "option \"--output\" wants %s, not \"%.64s\"", cli_options[CLI_OUTPUT].arg, o);
	if (strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(instance) || strlen(instance) > 32 ||
	    instance[0] == '-' || !instance[0])
		return usage(cli, "an instance is named by up to 32 of a-z, 0-9 and -, not \"%.64s\"", instance);
	return 0;
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
	const char *from_environment = getenv("WEFT_INSTANCE");
	bool options_end = false;
	int r, used = 0;

	cli->value[CLI_INSTANCE] = from_environment && *from_environment ? from_environment : "default";
	cli->value[CLI_BPFFS] = "/sys/fs/bpf";
	for (int i = 1; i < argc; i++) {
		if (!options_end && strcmp(argv[i], "--") == 0) {
			options_end = true;
		} else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
			r = parse_option(cli, argc, argv, &i);
			if (r)
				return r;
		} else if (cli->nr_words == (int)(sizeof(cli->word) / sizeof(cli->word[0]))) {
			return usage(cli, "too many words");
		} else {
			cli->word[cli->nr_words++] = argv[i];
		}
	}
	if (cli->given & (CLI_BIT(HELP) | CLI_BIT(VERSION)))
		return 0;
	if (!cli->nr_words)
		return usage(cli, "what to do? try \"weft help\"");
	cli->cmd = cli_find(cli->word, cli->nr_words, &used);
	if (!cli->cmd)
		return unknown_command(cli);
	r = check_options(cli);
	return r ? r : check_words(cli, cli->nr_words - used, cli->word + used);
}
