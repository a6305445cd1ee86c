#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Writes to Consul, and looks how long it takes until `weft discover --watch` prints it.

    consul-latency.py http://HOST:PORT TOKEN-FILE NODE SERVICE-OF-CONSUL WRITES weft discover -c FILE --watch SERVICE
"""
import json
import random
import subprocess
import sys
import time
import urllib.request


def main():
    watch = subprocess.Popen(sys.argv[6:], stdout=subprocess.PIPE, text=True)
    try:
        write(watch.stdout)
    finally:
        watch.kill()


def write(lines):
    url, token, node, service, count = sys.argv[1:6]
    with open(token) as f:
        token = f.read().strip()
    took = []
    lines.readline()
    for i in range(int(count)):
        weight = i + 2
        body = {"Node": node, "Address": "127.0.0.9", "Service": {"Service": service, "ID": "one", "Address": "127.0.0.11", "Port": 80,
                                                                  "Weights": {"Passing": weight, "Warning": 1}}}
        request = urllib.request.Request(url + "/v1/catalog/register", json.dumps(body).encode(), {"X-Consul-Token": token}, method="PUT")
        start = time.monotonic()
        urllib.request.urlopen(request, timeout=5).read()
        while True:
            line = lines.readline()
            if not line:
                sys.exit("weft discover ended")
            if any(e["weight"] == weight for e in json.loads(line)["endpoints"]):
                break
        took.append((time.monotonic() - start) * 1000)
        time.sleep(random.uniform(0.08, 0.12))  # below what weft reads of one service at most, ten times a second
    took.sort()
    print("FIGURES: consul: %d writes, from before the request until weft discover had it: p50 %.1f ms, p99 %.1f ms, at most %.1f ms" %
          (len(took), took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)], took[-1]))


main()
