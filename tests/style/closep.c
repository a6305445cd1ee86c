/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
int f(void)
{
	_cleanup_(closep) int fd;

	return 0;
}
