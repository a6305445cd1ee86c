/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The programs that are attached to a cgroup, in the order of attaching: what lets go and what hides the translation
 * comes first, what chooses comes last, so that nothing is counted that cannot be released. Detaching goes the other
 * way round.
 */
#ifndef PLANE_PROGRAMS_H
#define PLANE_PROGRAMS_H

/* Columns: pin below links/; the program is "weft_" + that. */
#define PLANE_PROGRAMS(X)                                                                                              \
	X(release)                                                                                                     \
	X(sockops)                                                                                                     \
	X(getpeer4)                                                                                                    \
	X(getpeer6)                                                                                                    \
	X(recvmsg4)                                                                                                    \
	X(recvmsg6)                                                                                                    \
	X(sendmsg4)                                                                                                    \
	X(sendmsg6)                                                                                                    \
	X(connect4)                                                                                                    \
	X(connect6)

enum plane_program {
#define X(name) PLANE_PROGRAM_##name,
	PLANE_PROGRAMS(X)
#undef X
		PLANE_PROGRAM_MAX
};

extern const char *const plane_program_pins[PLANE_PROGRAM_MAX];

#endif
