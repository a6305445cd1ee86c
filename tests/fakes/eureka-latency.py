#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Registers an instance with Eureka, now here and now there, and looks how long it takes until a connect() lands at the new place. Runs in the
cgroup of a test.

    eureka-latency.py http://HOST:PORT/BASE APPLICATION SERVICE-ADDRESS:PORT ENDPOINT ENDPOINT WRITES
"""
import json
import random
import socket
import sys
import time
import urllib.request


def lands_on(address):
    with socket.create_connection(address, timeout=2) as s:
        s.settimeout(2)
        return s.recv(100).decode().strip()


def write(url, app, endpoint):
    host, port = endpoint.rsplit(":", 1)
    instance = {"instanceId": "moving", "hostName": "moving", "app": app, "ipAddr": host, "status": "UP", "port": {"$": int(port), "@enabled": "true"},
                "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
                "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 900}}
    request = urllib.request.Request(url + "/apps/" + app, json.dumps({"instance": instance}).encode(), {"Content-Type": "application/json"})
    start = time.monotonic()
    urllib.request.urlopen(request, timeout=5).read()
    return start


def main():
    url, app, service, *endpoints, count = sys.argv[1:]
    host, port = service.rsplit(":", 1)
    took = []
    for i in range(int(count)):
        start = write(url, app, endpoints[i % 2])
        while endpoints[i % 2] not in lands_on((host, int(port))):
            if time.monotonic() - start > 90:
                sys.exit("write %d is not seen within 90 s" % i)
            time.sleep(0.0005)
        took.append((time.monotonic() - start) * 1000)
        time.sleep(random.uniform(0.01, 0.15))
    took.sort()
    print("FIGURES: eureka: refresh 100ms: %d writes, until a connect() lands on the new endpoint: p50 %.1f ms, p99 %.1f ms, at most %.1f ms" %
          (len(took), took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)], took[-1]))


main()
