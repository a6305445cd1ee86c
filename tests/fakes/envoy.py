#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""A control plane for Envoy as far as weft asks one: REST xDS of version 3, POST /v3/discovery:clusters and :endpoints, answered as go-control-plane
does: 200 with a DiscoveryResponse, or 304 when the version is the one that is asked with, whatever names are asked for. And what goes wrong with
one: see MODES. What there is and what happens is said at the control port.

    envoy.py --listen 127.0.0.1:18000 [--control 127.0.0.1:18001] [--state FILE] [--token TOKEN]

    POST   /put       {"clusters": {NAME: RESOURCE or null}, "endpoints": {NAME: RESOURCE or null}}: null removes
    POST   /mode      {"NAME": VALUE, ...}, see MODES; {} changes nothing. Answers with all of them
    POST   /token     {"token": "..."}: what is asked with another one is refused with 401; null: everybody may read
    POST   /wipe      nothing is left, and the versions begin again, as after a restart without its data
    POST   /touch     the versions grow, though nothing changes
    POST   /cut       all connections are cut
    POST   /forget    counts begin again
    GET    /stats     counts of what was asked and answered, and the last error_detail

With --state what is written is kept in a file, so that a fake that is killed and begun again is a server that comes back with its data.
"""
import argparse
import asyncio
import gzip
import json
import os

MODES = {
    "status": 0,  # every question is answered with this status
    "stall": False,  # nothing is answered; connections are taken
    "garbage": "",  # what is answered instead of JSON, with status 200
    "odd": False,  # answers begin with resources of wrong types
    "all_odd": False,  # and have no others
    "slow": 0,  # bytes a second of a body; 0: as fast as can be
    "cut_after": 0,  # bytes of a body after which the connection ends; 0: never
    "wrong_type": False,  # the type_url is that of listeners
    "one_only": False,  # of several names the first is answered
    "refuse_many": False,  # several names are refused with 400
    "everything": False,  # all endpoints are answered, whatever names are asked for
    "nothing": False,  # answers have no resources
    "same_version": False,  # the version is "1" for good
    "no_version": False,  # there is none, and no 304
    "wrapped": False,  # resources are within a Resource, with a name and a version
    "camel": False,  # keys are in camelCase, as protojson writes them, and numbers of 64 bits in text
}
TYPES = {"clusters": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
         "endpoints": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"}
TEXT = {401: "Jwt is expired", 403: "RBAC: access denied", 404: "404 page not found", 429: "local_rate_limited", 500: "fetch error: no snapshot",
        503: "no healthy upstream"}
ODD = [7, "text", None, [], {}, {"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "x"}, {"cluster_name": 7, "name": []},
       {"cluster_name": "", "name": ""}]


def camel(value):
    if isinstance(value, list):
        return [camel(v) for v in value]
    if isinstance(value, dict):
        return {(k if k in ("@type", "envoy.lb") else k[0] + k.title().replace("_", "")[1:] if "_" in k else k): camel(v) for k, v in value.items()}
    return value


class Plane:
    def __init__(self, args):
        self.args = args
        self.token = args.token
        self.writers = set()
        self.begin()
        self.forget()
        if args.state and os.path.exists(args.state):
            with open(args.state) as f:
                self.have, self.version = json.load(f)

    def begin(self):
        self.have = {"clusters": {}, "endpoints": {}}
        self.version = {"clusters": 1, "endpoints": 1}

    def forget(self):
        self.nonce = 0
        self.stats = {"requests": 0, "clusters": 0, "endpoints": 0, "not_modified": 0, "whole": 0, "nacks": 0, "error": "", "names": 0, "alone": 0,
                      "refused": 0, "node": None}

    def touch(self, kind):
        self.version[kind] += 1
        if self.args.state:
            with open(self.args.state + ".new", "w") as f:
                json.dump([self.have, self.version], f)
            os.rename(self.args.state + ".new", self.args.state)

    def put(self, value):
        for kind, all_ in value.items():
            for name, resource in all_.items():
                if resource is None:
                    self.have[kind].pop(name, None)
                else:
                    self.have[kind][name] = resource
            self.touch(kind)

    # ---- the protocol ----
    def discover(self, kind, ask):
        names = ask.get("resource_names") or []
        node = ask.get("node") or {}
        stats = self.stats
        stats[kind] += 1
        stats["node"] = [node.get("id"), node.get("cluster")]
        if ask.get("type_url", TYPES[kind]) != TYPES[kind]:
            return 400, "type_url of another kind"
        if "error_detail" in ask:
            stats["nacks"] += 1
            stats["error"] = ask["error_detail"]["message"]
        stats["names"] = max(stats["names"], len(names))
        stats["alone"] += len(names) == 1
        if MODES["refuse_many"] and len(names) > 1:
            return 400, "one resource at a time"
        version = "" if MODES["no_version"] else "1" if MODES["same_version"] else str(self.version[kind])
        asked = ask.get("version_info", "")
        stats["whole"] += not asked
        if version and asked == version and not MODES["garbage"]:
            stats["not_modified"] += 1
            return 304, ""
        have = self.have[kind]
        if kind == "clusters" or MODES["everything"]:
            wanted = [have[n] for n in sorted(have)]
        else:
            wanted = [have[n] for n in (names[:1] if MODES["one_only"] else names) if n in have]
        wanted = [dict(r, **{"@type": TYPES[kind]}) for r in wanted]
        if MODES["camel"]:
            wanted = camel(wanted)
        if MODES["wrapped"]:
            wanted = [{"@type": "type.googleapis.com/envoy.service.discovery.v3.Resource", "name": "n", "version": version, "resource": r} for r in wanted]
        if MODES["odd"] or MODES["all_odd"]:
            wanted = ODD + ([] if MODES["all_odd"] else wanted)
        if MODES["nothing"]:
            wanted = []
        self.nonce += 1
        answer = {"version_info": version, "resources": wanted, "nonce": str(self.nonce),
                  "type_url": "type.googleapis.com/envoy.config.listener.v3.Listener" if MODES["wrong_type"] else TYPES[kind]}
        return 200, MODES["garbage"] or json.dumps(camel(answer) if MODES["camel"] else answer, separators=(",", ":"))

    def route(self, method, path, headers, body):
        self.stats["requests"] += 1
        if MODES["status"]:
            return MODES["status"], TEXT.get(MODES["status"], "status %d" % MODES["status"])
        if self.token is not None and headers.get("authorization") != "Bearer " + self.token:
            self.stats["refused"] += 1
            return 401, TEXT[401]
        kind = path.rpartition(":")[2]
        if not path.startswith("/v3/discovery:") or kind not in TYPES:
            return 404, TEXT[404]
        if method != "POST":
            return 405, "Method Not Allowed"
        return self.discover(kind, json.loads(body))

    # ---- HTTP ----
    async def read(self, reader):
        line = await reader.readline()
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while True:
            line = (await reader.readline()).decode("latin-1").strip()
            if not line:
                break
            key, value = line.split(":", 1)
            headers[key.lower()] = value.strip()
        return method, target, headers, await reader.readexactly(int(headers.get("content-length", 0)))

    async def write(self, writer, headers, status, body, faulty=False):
        data = body.encode()
        lines = ["HTTP/1.1 %d Status" % status, "Content-Type: application/json" if status == 200 else "Content-Type: text/plain"]
        if "gzip" in headers.get("accept-encoding", "") and len(data) >= 1400:
            data = gzip.compress(data, 1)
            lines.append("Content-Encoding: gzip")
        if status != 304:
            lines.append("Content-Length: %d" % len(data))
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        if faulty and MODES["cut_after"] and len(data) > MODES["cut_after"]:
            writer.write(data[:MODES["cut_after"]])
            await writer.drain()
            return False
        step = max(1, MODES["slow"] // 20)
        while faulty and MODES["slow"] and data:
            writer.write(data[:step])
            await writer.drain()
            data = data[step:]
            await asyncio.sleep(0.05)
        writer.write(data)
        await writer.drain()
        return True

    async def serve(self, reader, writer, answer):
        self.writers.add(writer)
        try:
            while True:
                request = await self.read(reader)
                if not request or not await answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, request, writer):
        while MODES["stall"]:
            await asyncio.sleep(0.05)
        method, path, headers, body = request
        try:
            status, text = self.route(method, path, headers, body)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            status, text = 400, "cannot read the body: %s" % e
        return await self.write(writer, headers, status, text, True)

    # ---- the control port ----
    async def control(self, request, writer):
        _, path, headers, body = request
        value = json.loads(body) if body else {}
        out = {}
        if path == "/mode":
            unknown = set(value) - set(MODES)
            if unknown:
                return await self.write(writer, headers, 400, "no such mode: %s" % ", ".join(unknown))
            MODES.update(value)
            out = MODES
        elif path == "/put":
            self.put(value)
        elif path == "/token":
            self.token = value["token"]
        elif path == "/wipe":
            self.begin()
        elif path == "/touch":
            self.touch("clusters")
            self.touch("endpoints")
        elif path == "/forget":
            self.forget()
        elif path == "/cut":
            for w in self.writers - {writer}:
                w.transport.abort()
        elif path == "/stats":
            out = dict(self.stats, version=self.version)
        else:
            return await self.write(writer, headers, 404, "no such word: %s" % path)
        return await self.write(writer, headers, 200, json.dumps(out))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--control")
    parser.add_argument("--state")
    parser.add_argument("--token")
    args = parser.parse_args()
    plane = Plane(args)
    host, port = args.listen.rsplit(":", 1)
    servers = [await asyncio.start_server(lambda r, w: plane.serve(r, w, plane.answer), host, int(port), limit=1 << 26)]
    if args.control:
        host, port = args.control.rsplit(":", 1)
        servers.append(await asyncio.start_server(lambda r, w: plane.serve(r, w, plane.control), host, int(port), limit=1 << 26))
    print("ready", flush=True)
    await asyncio.gather(*(s.serve_forever() for s in servers))


asyncio.run(main())
