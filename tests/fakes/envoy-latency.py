#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Writes endpoints where a control plane for Envoy says them, and looks how long it takes until a connect() lands on the new one. Runs in the cgroup
of a test.

    envoy-latency.py WHAT http://CONTROL-OF-FAKE|/FILE CLUSTER SERVICE-ADDRESS:PORT ENDPOINT ENDPOINT WRITES
"""
import json
import os
import random
import socket
import sys
import time
import urllib.request


def lands_on(address):
    with socket.create_connection(address, timeout=2) as s:
        s.settimeout(2)
        return s.recv(100).decode().strip()


def write(where, cluster, endpoint):
    host, port = endpoint.rsplit(":", 1)
    assignment = {"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "cluster_name": cluster, "endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}]}]}
    if where.startswith("/"):
        with open(where + ".new", "w") as f:
            json.dump({"resources": [assignment]}, f)
        start = time.monotonic()
        os.rename(where + ".new", where)
        return start
    start = time.monotonic()
    urllib.request.urlopen(where + "/put", json.dumps({"endpoints": {cluster: assignment}}).encode(), timeout=5).read()
    return start


def main():
    what, where, cluster, service, *endpoints, count = sys.argv[1:]
    host, port = service.rsplit(":", 1)
    took = []
    for i in range(int(count)):
        start = write(where, cluster, endpoints[i % 2])
        while endpoints[i % 2] not in lands_on((host, int(port))):
            if time.monotonic() - start > 10:
                sys.exit("write %d is not seen within 10 s" % i)
            time.sleep(0.0005)
        took.append((time.monotonic() - start) * 1000)
        time.sleep(random.uniform(0.01, 0.15))
    took.sort()
    print("FIGURES: envoy: %s: %d writes, until a connect() lands on the new endpoint: p50 %.1f ms, p99 %.1f ms, at most %.1f ms" %
          (what, len(took), took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)], took[-1]))


main()
