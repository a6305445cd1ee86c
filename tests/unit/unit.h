/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What every unit test program does besides its tests: run one suite. CK_VERBOSITY, CK_FORK and CK_TAP_LOG_FILE_NAME as
 * Check has them. */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdlib.h>

/* The number of elements, for tcase_add_loop_test(). */
#define UNIT_NR(cases) ((int)(sizeof(cases) / sizeof((cases)[0])))

/* Sanitizers see leaks only of a process that ends by itself: no fork under them. Returns the exit code. */
static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

#ifdef __SANITIZE_ADDRESS__
	srunner_set_fork_status(runner, CK_NOFORK);
#endif
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
