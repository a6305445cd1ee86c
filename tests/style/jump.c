/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#define CHECK(x)                                                                                                       \
	do {                                                                                                           \
		if (!(x))                                                                                              \
			return -1;                                                                                     \
	} while (0)
