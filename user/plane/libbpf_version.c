/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <bpf/libbpf.h>

#include "plane/plane.h"

const char *plane_libbpf_version(void)
{
	const char *text = libbpf_version_string();

	return *text == 'v' ? text + 1 : text;
}
