/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The command line, and what is made from the table of commands: help, completion, the manual's completeness. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/agent_status.h"
#include "cli/cmd.h"
#include "unit.h"

static char out_text_of[256 * 1024], err_text_of[4096];

/* Runs the program; what it said is in out_text_of and err_text_of. Words are parted by single blanks. */
static int run(const char *line)
{
	char *copy = strdup(line), *save = NULL;
	FILE *out = fmemopen(out_text_of, sizeof(out_text_of), "w");
	FILE *err = fmemopen(err_text_of, sizeof(err_text_of), "w");
	char *argv[24] = { "weft" };
	int argc = 1, code;

	memset(out_text_of, 0, sizeof(out_text_of));
	memset(err_text_of, 0, sizeof(err_text_of));
	for (char *w = strtok_r(copy, " ", &save); w && argc < 23; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	code = cli_main(argc, argv, out, err);
	fclose(out);
	fclose(err);
	free(copy);
	return code;
}

static const struct {
	const char *line, *message;
} usages[] = {
	{ "", "weft: what to do? try \"weft help\"\n" },
	{ "servce", "weft: unknown command \"servce\"; did you mean \"service\"?\n" },
	{ "xyzzy", "weft: unknown command \"xyzzy\"; try \"weft help\"\n" },
	{ "service", "weft: \"service\" wants one of: list, show, breaker\n" },
	{ "service lsit", "weft: unknown command \"service lsit\"; did you mean \"service list\"?\n" },
	{ "service burn", "weft: unknown command \"service burn\"; \"service\" wants one of: list, show, breaker\n" },
	{ "service show", "weft: \"weft service show\" wants NAME\n" },
	{ "service show a b", "weft: \"weft service show\" does not know what to do with \"b\"\n" },
	{ "status now", "weft: \"weft status\" does not know what to do with \"now\"\n" },
	{ "explain", "weft: \"weft explain\" wants ADDRESS:PORT [udp|tcp]\n" },
	{ "explain 10.0.0.1:80 sctp", "weft: \"weft explain\" wants ADDRESS:PORT [udp|tcp], not \"sctp\"\n" },
	{ "explain 10.0.0.1", "weft: \"10.0.0.1\" is no ADDRESS:PORT; write 10.0.0.1:80 or [fd00::1]:80\n" },
	{ "completion tcsh", "weft: \"weft completion\" wants bash|zsh|fish, not \"tcsh\"\n" },
	{ "status -o yaml", "weft: option \"--output\" wants table|wide|json, not \"yaml\"\n" },
	{ "status -o", "weft: option \"--output\" wants table|wide|json\n" },
	{ "status --instance=", "weft: option \"--instance\" wants NAME\n" },
	{ "status --repair", "weft: \"weft status\" takes no option \"--repair\"\n" },
	{ "check --repar", "weft: unknown option \"--repar\"; did you mean \"--repair\"?\n" },
	{ "check --repair=yes", "weft: option \"--repair\" takes no value\n" },
	{ "import", "weft: \"weft import\" wants FILE [FILE...]\n" },
	{ "import a.json --strict -c x", "weft: \"weft import\" takes no option \"--config\"\n" },
	{ "check -z", "weft: unknown option \"-z\"; try \"weft help\"\n" },
	{ "check --zzzzzz", "weft: unknown option \"--zzzzzz\"; try \"weft help\"\n" },
	{ "agent", "weft: \"weft agent\" wants -c FILE\n" },
	{ "load", "weft: \"weft load\" wants -c FILE\n" },
	{ "-i ../x status", "weft: an instance is named by up to 32 of a-z, 0-9 and -, not \"../x\"\n" },
	{ "dump frontend", "weft: there is no map \"frontend\"; did you mean \"frontends\"?\n" },
	{ "dump weft_slotz", "weft: there is no map \"weft_slotz\"; did you mean \"weft_slots\"?\n" },
	{ "help fly", "weft: there is no command \"fly\"; try \"weft help\"\n" },
};

START_TEST(usage_errors_are_sentences_on_stderr)
{
	ck_assert_int_eq(run(usages[_i].line), CLI_USAGE);
	ck_assert_str_eq(err_text_of, usages[_i].message);
	ck_assert_str_eq(out_text_of, "");
}
END_TEST

static const struct {
	const char *line, *words;
	unsigned given;
	const char *instance, *output;
} parses[] = {
	{ "status", "status", 0, "default", NULL },
	{ "-i a status", "status", CLI_BIT(INSTANCE), "a", NULL },
	{ "status -i a", "status", CLI_BIT(INSTANCE), "a", NULL },
	{ "status -ia", "status", CLI_BIT(INSTANCE), "a", NULL },
	{ "status --instance=a -ojson", "status", CLI_BIT(INSTANCE) | CLI_BIT(OUTPUT), "a", "json" },
	{ "-o wide service -i b list", "service list", CLI_BIT(INSTANCE) | CLI_BIT(OUTPUT), "b", "wide" },
	{ "endpoint list -- -x", "endpoint list", 0, "default", NULL },
	{ "-c f agent --check -v", "agent", CLI_BIT(CONFIG) | CLI_BIT(CHECK) | CLI_BIT(VERBOSE), "default", NULL },
};

START_TEST(options_stand_anywhere)
{
	char *copy = strdup(parses[_i].line), *save = NULL;
	char *argv[16] = { "weft" };
	struct cli cli = { 0 };
	int argc = 1;

	unsetenv("WEFT_INSTANCE");
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	ck_assert_msg(cli_parse(&cli, argc, argv) == 0, "%s", cli.error);
	ck_assert_str_eq(cli.cmd->words, parses[_i].words);
	ck_assert_uint_eq(cli.given, parses[_i].given);
	ck_assert_str_eq(cli.value[CLI_INSTANCE], parses[_i].instance);
	ck_assert_pstr_eq(cli.value[CLI_OUTPUT], parses[_i].output);
	free(copy);
}
END_TEST

START_TEST(environment_names_the_instance_unless_the_option_does)
{
	char *argv[] = { "weft", "status", "-i", "b" };
	struct cli cli = { 0 }, other = { 0 };

	setenv("WEFT_INSTANCE", "from-env", 1);
	ck_assert_int_eq(cli_parse(&cli, 2, argv), 0);
	ck_assert_str_eq(cli.value[CLI_INSTANCE], "from-env");
	ck_assert_int_eq(cli_parse(&other, 4, argv), 0);
	ck_assert_str_eq(other.value[CLI_INSTANCE], "b");
	unsetenv("WEFT_INSTANCE");
}
END_TEST

START_TEST(nothing_loaded_is_a_sentence_and_one)
{
	ck_assert_int_eq(run("service list -i no-such-instance --bpffs /nonexistent"), CLI_FAILED);
	ck_assert_str_eq(err_text_of,
			 "weft: nothing is loaded as instance \"no-such-instance\"; start `weft agent -c FILE` or "
			 "`weft load -c FILE`\n");
	ck_assert_str_eq(out_text_of, "");
}
END_TEST

START_TEST(help_goes_to_stdout_and_names_everything)
{
	ck_assert_int_eq(run("help"), CLI_DONE);
	ck_assert_str_eq(err_text_of, "");
	for (const struct cmd *c = cli_commands; c->words; c++) {
		ck_assert_ptr_nonnull(strstr(out_text_of, c->words));
		ck_assert_ptr_nonnull(strstr(out_text_of, c->help));
	}
	for (int i = 0; i < CLI_OPTION_MAX; i++)
		if (CLI_GLOBAL & 1u << i)
			ck_assert_ptr_nonnull(strstr(out_text_of, cli_options[i].help));
}
END_TEST

START_TEST(help_of_a_command_names_its_options)
{
	ck_assert_int_eq(run("help service show"), CLI_DONE);
	ck_assert_ptr_nonnull(strstr(out_text_of, "usage: weft service show NAME\n"));
	ck_assert_int_eq(run("agent -h"), CLI_DONE);
	ck_assert_ptr_nonnull(strstr(out_text_of, "usage: weft agent -c FILE [OPTIONS]\n"));
	ck_assert_ptr_nonnull(strstr(out_text_of, "--check"));
	ck_assert_int_eq(run("-h"), CLI_DONE);
	ck_assert_ptr_nonnull(strstr(out_text_of, "commands:"));
	ck_assert_int_eq(run("help service"), CLI_DONE);
	ck_assert_ptr_nonnull(strstr(out_text_of, "service list"));
	ck_assert_ptr_null(strstr(out_text_of, "endpoint list"));
}
END_TEST

START_TEST(version_says_what_it_is)
{
	ck_assert_int_eq(run("--version"), CLI_DONE);
	ck_assert_msg(strncmp(out_text_of, "weft " WEFT_VERSION " (", strlen("weft " WEFT_VERSION " (")) == 0, "%s",
		      out_text_of);
	ck_assert_ptr_nonnull(strstr(out_text_of, "abi 2, libbpf 1."));
	ck_assert_int_eq(run("version -o json"), CLI_DONE);
	ck_assert_ptr_nonnull(strstr(out_text_of, "\"abi\": 2"));
}
END_TEST

START_TEST(completion_knows_every_word)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };
	char line[32];

	snprintf(line, sizeof(line), "completion %s", shells[_i]);
	ck_assert_int_eq(run(line), CLI_DONE);
	for (const struct cmd *c = cli_commands; c->words; c++) {
		const char *last = strrchr(c->words, ' ');

		ck_assert_ptr_nonnull(strstr(out_text_of, last ? last + 1 : c->words));
	}
	for (int i = 0; i < CLI_OPTION_MAX; i++)
		ck_assert_ptr_nonnull(strstr(out_text_of, cli_options[i].word));
	ck_assert_ptr_nonnull(strstr(out_text_of, "backends"));
}
END_TEST

/* One apostrophe in a help text that is not escaped makes fish refuse the whole file. */
START_TEST(fish_quotes_are_balanced)
{
	bool open = false;

	ck_assert_int_eq(run("completion fish"), CLI_DONE);
	for (const char *p = out_text_of; *p; p++) {
		if (*p == '\\' && p[1] == '\'')
			p++;
		else if (*p == '\'')
			open = !open;
		else if (*p == '\n')
			ck_assert_msg(!open, "quotes are not balanced before: %.80s", p);
	}
}
END_TEST

/* Sources a script in a real bash and completes @line in it. */
static void complete(const char *line, char *ret, size_t len)
{
	char script[] = "/tmp/weft-test-cli-XXXXXX", command[1024];
	FILE *f, *p;
	size_t n;
	int fd = mkstemp(script);

	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	ck_assert_int_eq(run("completion bash"), CLI_DONE);
	fputs(out_text_of, f);
	fclose(f);
	snprintf(command, sizeof(command),
		 "bash -c '. %s; COMP_WORDS=(%s \"\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _weft; echo "
		 "${COMPREPLY[*]}'",
		 script, line);
	p = popen(command, "r");
	n = fread(ret, 1, len - 1, p);
	ret[n] = '\0';
	pclose(p);
	unlink(script);
}

START_TEST(bash_completes)
{
	char got[4096];

	if (system("bash -c true") != 0)
		return;
	complete("weft service", got, sizeof(got));
	ck_assert_str_eq(got, "list show breaker\n");
	complete("weft -i x completion", got, sizeof(got));
	ck_assert_str_eq(got, "bash zsh fish\n");
	complete("weft -o", got, sizeof(got));
	ck_assert_str_eq(got, "table wide json\n");
	complete("weft dump", got, sizeof(got));
	ck_assert_ptr_nonnull(strstr(got, "frontends services specs"));
	complete("weft", got, sizeof(got));
	ck_assert_ptr_nonnull(strstr(got, "status doctor service endpoint connections"));
}
END_TEST

static bool page_has(const char *page, const char *word)
{
	return strstr(page, word) != NULL;
}

START_TEST(manual_names_every_command_and_option)
{
	static char page[128 * 1024];
	FILE *f = fopen("docs/weft.8", "r");
	char macro[128];

	ck_assert_msg(f, "docs/weft.8 is not there; tests run in the root of the tree");
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	for (const struct cmd *c = cli_commands; c->words; c++) {
		snprintf(macro, sizeof(macro), "\n.It Cm %s", c->words);
		ck_assert_msg(page_has(page, macro), "docs/weft.8 has no item for \"%s\"", c->words);
	}
	for (int i = 0; i < CLI_OPTION_MAX; i++) {
		snprintf(macro, sizeof(macro), "Fl -%s", cli_options[i].word);
		ck_assert_msg(page_has(page, macro), "docs/weft.8 does not know --%s", cli_options[i].word);
		if (!cli_options[i].letter)
			continue;
		snprintf(macro, sizeof(macro), "Fl %c", cli_options[i].letter);
		ck_assert_msg(page_has(page, macro), "docs/weft.8 does not know -%c", cli_options[i].letter);
	}
}
END_TEST

START_TEST(agent_status_is_read_and_checked)
{
	const char *good = "{\"pid\": 12, \"version\": \"0.1.0\", \"start_unix\": 1.5e9, \"config_file\": \"/f\", "
			   "\"reloads_ok\": 2,"
			   "\"reloads_failed\": 1, \"last_error\": \"bad\", \"last_ok_unix\": 1.6e9, \"services\": 3, "
			   "\"endpoints\": 4}";
	const char *bad[] = { "", "[]", "{}", "{\"pid\": \"x\"}", "not json" };
	struct agent_status s;

	ck_assert_int_eq(agent_status_parse(good, strlen(good), &s), 0);
	ck_assert_int_eq(s.pid, 12);
	ck_assert_str_eq(s.last_error, "bad");
	ck_assert_uint_eq(s.endpoints, 4);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_lt(agent_status_parse(bad[i], strlen(bad[i]), &s), 0);
	ck_assert_int_eq(agent_status_parse("{\"pid\":1,\"last_error\":null}", 27, &s), 0);
	ck_assert_str_eq(s.last_error, "");
	ck_assert_int_lt(agent_status_get("/nonexistent/agent.sock", &s), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli");
	TCase *t = tcase_create("cli");

	tcase_add_loop_test(t, usage_errors_are_sentences_on_stderr, 0, UNIT_NR(usages));
	tcase_add_loop_test(t, options_stand_anywhere, 0, UNIT_NR(parses));
	tcase_add_test(t, environment_names_the_instance_unless_the_option_does);
	tcase_add_test(t, nothing_loaded_is_a_sentence_and_one);
	tcase_add_test(t, help_goes_to_stdout_and_names_everything);
	tcase_add_test(t, help_of_a_command_names_its_options);
	tcase_add_test(t, version_says_what_it_is);
	tcase_add_loop_test(t, completion_knows_every_word, 0, 3);
	tcase_add_test(t, fish_quotes_are_balanced);
	tcase_add_test(t, bash_completes);
	tcase_add_test(t, manual_names_every_command_and_option);
	tcase_add_test(t, agent_status_is_read_and_checked);
	suite_add_tcase(s, t);
	return unit_run(s);
}
