/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* weft import FILE...: SmartStack's configurations as one weft.yaml. Nothing is written unless all is well. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/import_files.h"

static int said(struct cli *cli, const struct config_error *e)
{
	char text[sizeof(*e)];

	return out_error(cli->out, "%s", config_error_format(e, text, sizeof(text)));
}

static int add_file(struct cli *cli, struct import *x, const char *path, struct config_error *e)
{
	_cleanup_(import_files_done) struct import_files f = { .nr = 0 };
	int r;

	r = import_files_read(path, &f, e);
	if (!r)
		r = import_add(x, &f.file, f.services, f.nr, e);
	return r ? said(cli, e) : 0;
}

/* How many of them are about something that is lost. */
static size_t tell_remarks(struct cli *cli, const struct import *x)
{
	const struct import_remark *m;
	size_t nr, changes = 0;
	char line[16];

	m = import_remarks(x, &nr);
	for (size_t i = 0; i < nr; i++) {
		snprintf(line, sizeof(line), m[i].line ? ":%u" : "", m[i].line);
		out_error(cli->out, "%s%s%s: %s%s%s", m[i].weight == IMPORT_NOTE ? "note: " : "", m[i].file, line,
			  m[i].key, *m[i].key ? ": " : "", m[i].text);
		changes += m[i].weight == IMPORT_CHANGE;
	}
	return changes;
}

static int write_all(int fd, const char *text)
{
	for (size_t len = strlen(text); len;) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Beside its place, then renamed; what is there and is no file (a terminal, /dev/stdout) is written to. */
static int write_file(const char *path, const char *text)
{
	_cleanup_(freep) char *beside = NULL;
	_cleanup_(closep) int fd = -1;
	bool in_place;
	struct stat st;
	int r;

	in_place = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
	if (asprintf(&beside, "%s%s", path, in_place ? "" : ".tmp") < 0)
		return -ENOMEM;
	fd = open(beside, O_WRONLY | O_CLOEXEC | (in_place ? 0 : O_CREAT | O_TRUNC | O_NOFOLLOW), 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (!r && !in_place && rename(beside, path))
		r = -errno;
	if (r && !in_place)
		unlink(beside);
	return r;
}

static int write_output(struct cli *cli, const char *text)
{
	const char *path = cli->value[CLI_TO];
	int r;

	if (!path || !strcmp(path, "-")) {
		out_raw(cli->out, "%s", text);
		return CLI_DONE;
	}
	r = write_file(path, text);
	return r ? out_error(cli->out, "cannot write %s: %s", path, log_strerror(r)) : CLI_DONE;
}

int cmd_import(struct cli *cli, int argc, const char *const *argv)
{
	_cleanup_(freep) struct config_error *e = calloc(1, sizeof(*e));
	_cleanup_(import_freep) struct import *x = import_new();
	_cleanup_(freep) char *text = NULL;
	size_t changes;
	int r = 0;

	if (!e || !x)
		return out_error(cli->out, "no memory");
	for (int i = 0; !r && i < argc; i++)
		r = add_file(cli, x, argv[i], e);
	if (r)
		return r;
	r = import_finish(x, &text, e);
	if (r == -EBADMSG)
		out_error(cli->out, "a bug: what was made of these files is no configuration; please report it");
	if (r)
		return said(cli, e);
	changes = tell_remarks(cli, x);
	if (changes && cli->given & CLI_BIT(STRICT))
		return out_error(cli->out, "%zu thing%s %s no counterpart, and --strict was said: nothing is written",
				 changes, changes == 1 ? "" : "s", changes == 1 ? "has" : "have");
	return write_output(cli, text);
}
