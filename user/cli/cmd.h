/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The commands as a table. A row is what runs, the help, the completion and what the manual is checked against. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/out.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 }; /* exit codes */

enum cli_option {
	CLI_INSTANCE,
	CLI_BPFFS,
	CLI_OUTPUT,
	CLI_HELP,
	CLI_VERSION,
	CLI_CONFIG,
	CLI_CHECK,
	CLI_VERBOSE,
	CLI_REPAIR,
	CLI_OPENMETRICS,
	CLI_SOCKET,
	CLI_FOLLOW,
	CLI_TIMEOUT,
	CLI_WATCH,
	CLI_TO, /* what -o means to a command that writes a file */
	CLI_STRICT,
	CLI_OPTION_MAX
};
#define CLI_BIT(id) (1u << CLI_##id)
#define CLI_GLOBAL  (CLI_BIT(INSTANCE) | CLI_BIT(BPFFS) | CLI_BIT(OUTPUT) | CLI_BIT(HELP) | CLI_BIT(VERSION))

struct cli_option_row {
	char letter;	  /* 0: none */
	const char *word; /* "instance" for --instance */
	const char *arg;  /* "NAME"; NULL: takes none. "a|b" are literal words */
	const char *help; /* one line, no full stop */
};
extern const struct cli_option_row cli_options[CLI_OPTION_MAX];

struct maps;
struct view;

/* One call of the binary. */
struct cli {
	unsigned given;			   /* bits of the options that were there */
	const char *value[CLI_OPTION_MAX]; /* their arguments; defaults filled in for the global ones */
	const char *word[64];		   /* what is no option */
	int nr_words;
	const struct cmd *cmd;
	char error[512]; /* usage error */
	struct out *out;
	struct maps *maps; /* opened on demand */
	struct view *view;
};

#define CMD_NEEDS_ROOT 1u
#define CMD_WRITES     2u /* changes the kernel or the maps */
#define CMD_RAW	       4u /* prints the same whatever -o says */

struct cmd {
	const char *words; /* "service show" */
	const char *args;  /* "NAME", "[SERVICE]", "ADDRESS:PORT [udp|tcp]"; "" for none */
	const char *help;  /* one line, no full stop */
	unsigned options;  /* CLI_BIT()s beside the global ones */
	unsigned required; /* those without which it does not run */
	unsigned flags;	   /* CMD_* */
	int (*run)(struct cli *cli, int argc, const char *const *argv); /* an exit code */
};
extern const struct cmd cli_commands[]; /* ends with .words == NULL */

/* The whole program: parses, runs, prints. An exit code. */
int cli_main(int argc, char **argv, FILE *out, FILE *err);

/* Fills @cli from the command line. 0, or CLI_USAGE with cli->error set. */
int cli_parse(struct cli *cli, int argc, char **argv);
/* The row that the first words name, the longest that fits; *ret_words is how many it took. NULL: none. */
const struct cmd *cli_find(const char *const *words, int nr, int *ret_words);
/* The candidate that was probably meant by @word, NULL when none is near. Candidates end with NULL. */
const char *cli_nearest(const char *word, const char *const *candidates);

/* @words NULL: everything; else the command or the group with these words. False: there is no such command. */
bool cli_help(FILE *out, const char *words);

/* Opens the maps of the instance and reads what every command needs. 0; else CLI_FAILED, and the sentence has been
 * said. */
int cli_open(struct cli *cli, bool writable);
/* The sentence for a maps_open() that failed with @r on @dir. CLI_FAILED. */
int cli_open_failed(struct cli *cli, int r, const char *dir, unsigned abi);

#define CLI_COMMANDS(X)                                                                                                \
	X(status)                                                                                                      \
	X(doctor)                                                                                                      \
	X(service_list)                                                                                                \
	X(service_show)                                                                                                \
	X(service_breaker)                                                                                             \
	X(endpoint_list)                                                                                               \
	X(endpoint_drain)                                                                                              \
	X(endpoint_undrain)                                                                                            \
	X(connections)                                                                                                 \
	X(explain)                                                                                                     \
	X(dump)                                                                                                        \
	X(check)                                                                                                       \
	X(metrics)                                                                                                     \
	X(events)                                                                                                      \
	X(discover)                                                                                                    \
	X(source_list)                                                                                                 \
	X(import)                                                                                                      \
	X(agent)                                                                                                       \
	X(load)                                                                                                        \
	X(unload)                                                                                                      \
	X(completion)                                                                                                  \
	X(version)                                                                                                     \
	X(help)

#define X(name) int cmd_##name(struct cli *cli, int argc, const char *const *argv);
CLI_COMMANDS(X)
#undef X

#endif
