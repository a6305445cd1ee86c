/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
void f(char *to, const char *from)
{
	strcpy(to, from);
}
