#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""A Consul agent as far as weft asks one: blocking queries of /v1/health/service/NAME, registering with TTL checks, /v1/status/leader. Status
codes, headers, texts and JSON are those of Consul 1.15 to 1.20. And what goes wrong with one: see MODES. What happens is said at the control
port; but for that it is to be used as a real one, which tests put in its place with WEFT_TEST_CONSUL=URL.

    consul.py --listen 127.0.0.1:8500 [--control 127.0.0.1:8501] [--state FILE] [--token TOKEN] [--datacenter dc1]
              [--tls CERT KEY]

    PUT    /v1/catalog/register, /v1/catalog/deregister   write instances, as with a real one
    POST   /mode      {"NAME": VALUE, ...}, see MODES; {} changes nothing. Answers with all of them
    POST   /token     {"token": "..."}: what is asked with another one is refused; null: everybody may read
    POST   /churn     {"name": "web", "instances": 5, "rate": 100, "seconds": 2}: instances come and go that fast
    POST   /wipe      nothing is left, and the index begins again, as after a restart without its data
    POST   /forget    what was registered with the agent is not known any more
    POST   /touch     the index of all services grows, though nothing changes: those that wait are answered
    POST   /cut       all connections are cut
    GET    /stats     counts of requests, of those that wait, and what was registered how often

With --state what is written is kept in a file, so that a fake that is killed and begun again is a server that comes back with its data.
"""
import argparse
import asyncio
import gzip
import json
import os
import random
import re
import ssl
import sys
import time
import urllib.parse

MODES = {
    "status": 0,  # every question is answered with this status
    "stall": False,  # nothing is answered; connections are taken
    "garbage": "",  # what is answered instead of JSON, with status 200
    "odd": False,  # answers begin with entries of wrong types
    "slow": 0,  # bytes a second of a body; 0: as fast as can be
    "cut_after": 0,  # bytes of a body after which the connection ends; 0: never
    "backwards": False,  # each answer's index is one less than the one before, and nothing waits
    "zero": False,  # each answer's index is 0
    "no_index": False,  # there is no index
    "no_wait": False,  # nothing waits
    "fast": False,  # the index grows all the time, though nothing changes
    "filtered": False,  # the token may not see anything, which Consul says with 200 and a header
    "no_leader": False,  # an agent that has just begun: default reads are refused, stale ones have nothing
    "old": False,  # an agent before 1.11: an unknown check is 500
}
TEXT = {403: "Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'service:read'",
        429: "rate limit exceeded, try again later or against a different server",
        500: "No cluster leader", 503: "rate limit exceeded for operation that can only be performed by the leader"}
REASON = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests",
          500: "Internal Server Error", 503: "Service Unavailable"}
ODD = [7, "text", None, [], {}, {"Node": 3, "Service": {}}, {"Node": {"Address": "10.0.0.1"}, "Service": {"Port": "80"}},
       {"Node": {"Address": "10.0.0.1"}, "Service": {"Port": 1e300}}, {"Node": {"Address": "10.0.0.1"}, "Service": {"Port": 70000}},
       {"Node": {"Address": "10.0.0.1"}, "Service": {"Port": 80}, "Checks": "passing"},
       {"Node": {"Address": ["10.0.0.1"]}, "Service": {"Port": 80, "Meta": 3, "Tags": {"a": 1}, "Weights": []}}]


def duration(text, default):
    m = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text or "")
    return float(m.group(1)) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[m.group(2)] if m else default


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


class Store:
    """Instances by service, each with the index of its last change; and what was registered with this agent."""

    def __init__(self, args):
        self.args = args
        self.start()

    def start(self):
        self.index = random.randrange(100, 200)
        self.instances = {}  # service: {(node, id): entry}
        self.changed_at = {}  # service: index
        self.local = {}  # id: check
        self.changed = asyncio.Event()

    def wake(self):
        self.changed.set()
        self.changed = asyncio.Event()

    def touch(self, name):
        self.index += 1
        self.changed_at[name] = self.index
        self.wake()
        if self.args.state:
            with open(self.args.state + ".new", "w") as f:
                json.dump([self.index, [e for all_ in self.instances.values() for e in all_.values()], self.local], f)
            os.rename(self.args.state + ".new", self.args.state)

    def load(self):
        with open(self.args.state) as f:
            self.index, entries, self.local = json.load(f)
        for check in self.local.values():
            check["expires"] = time.monotonic() + check["ttl"]
        for e in entries:
            name = e["Service"]["Service"]
            self.instances.setdefault(name, {})[(e["Node"]["Node"], e["Service"]["ID"])] = e
            self.changed_at[name] = self.index

    def index_of(self, name):
        # A service that never was has the index of the services as such.
        return self.changed_at.get(name, max(self.changed_at.values(), default=1))

    def put(self, node, address, service, checks, node_meta=None, locality=None):
        name, id_ = service["Service"], service.get("ID") or service["Service"]
        weights = service.get("Weights") or {"Passing": 1, "Warning": 1}
        entry = {
            "Node": {"ID": "", "Node": node, "Address": address, "Datacenter": self.args.datacenter, "TaggedAddresses": None,
                     "Meta": node_meta, "CreateIndex": self.index + 1, "ModifyIndex": self.index + 1},
            "Service": {"ID": id_, "Service": name, "Tags": service.get("Tags") or [], "Address": service.get("Address", ""),
                        "Meta": service.get("Meta"), "Port": service.get("Port", 0), "Weights": weights, "EnableTagOverride": False,
                        "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}}, "Connect": {}, "PeerName": "",
                        "CreateIndex": self.index + 1, "ModifyIndex": self.index + 1},
            "Checks": [{"Node": node, "CheckID": c.get("CheckID", "service:" + id_), "Name": c.get("Name", "check"),
                        "Status": c.get("Status", "critical"), "Notes": "", "Output": c.get("Output", ""),
                        "ServiceID": c.get("ServiceID", id_), "ServiceName": name, "ServiceTags": [], "Type": "", "Interval": "", "Timeout": "",
                        "ExposedPort": 0, "Definition": {}, "CreateIndex": self.index + 1, "ModifyIndex": self.index + 1} for c in checks],
        }
        if locality:
            entry["Node"]["Locality"] = locality
        if service.get("Locality"):
            entry["Service"]["Locality"] = service["Locality"]
        self.instances.setdefault(name, {})[(node, id_)] = entry
        self.touch(name)

    def remove(self, node, id_):
        for name, all_ in self.instances.items():
            if all_.pop((node, id_), None):
                self.touch(name)
                return True
        return False

    # ---- what an agent does ----
    def register(self, body):
        if not body.get("Name"):
            raise Refused(400, "Missing service name")
        if (body.get("Weights") or {"Passing": 1})["Passing"] < 1:
            raise Refused(400, "Invalid Weights: Passing must be greater than 0")
        for key, value in (body.get("Meta") or {}).items():
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", key) or len(value) > 512:
                raise Refused(400, "Invalid Service Meta: Couldn't load metadata pair ('%s', '%s')" % (key, value))
        id_ = body.get("ID") or body["Name"]
        check = body.get("Check") or {}
        ttl = duration(check.get("TTL"), 0)
        gone = duration(check.get("DeregisterCriticalServiceAfter"), 0)
        if gone and gone < 60:
            gone = 60
        self.local[id_] = {"ttl": ttl, "gone": gone, "expires": time.monotonic() + ttl, "check": check.get("CheckID") or "service:" + id_}
        service = dict(body, Service=body["Name"], ID=id_)
        self.put("agent", "127.0.0.1", service,
                 [{"CheckID": "serfHealth", "Status": "passing", "ServiceID": ""},
                  {"CheckID": self.local[id_]["check"], "Name": check.get("Name"), "Status": check.get("Status") or "critical"}])

    def set_check(self, id_, status, output):
        for all_ in self.instances.values():
            entry = all_.get(("agent", id_))
            for c in entry["Checks"] if entry else []:
                if c["CheckID"] == self.local[id_]["check"] and (c["Status"], c["Output"]) != (status, output):
                    changed = c["Status"] != status
                    c["Status"], c["Output"] = status, output
                    if changed:
                        self.touch(entry["Service"]["Service"])

    def update(self, check_id, body):
        for id_, check in self.local.items():
            if check["check"] == check_id:
                check["expires"] = time.monotonic() + check["ttl"]
                self.set_check(id_, body["Status"], body.get("Output", ""))
                return
        if MODES["old"]:
            raise Refused(500, 'CheckID "%s" does not have associated TTL' % check_id)
        raise Refused(404, 'Unknown check ID "%s". Ensure that the check ID is passed, not the check name.' % check_id)

    def expire(self):
        for id_, check in self.local.items():
            if check["ttl"] and time.monotonic() > check["expires"]:
                self.set_check(id_, "critical", "TTL expired")


class Agent:
    def __init__(self, args):
        self.args = args
        self.token = args.token
        self.store = Store(args)
        if args.state and os.path.exists(args.state):
            self.store.load()
        self.writers = set()
        self.stats = {"requests": 0, "queries": 0, "waiting": 0, "registers": 0, "updates": 0, "deregisters": 0, "probes": 0, "cut": 0}
        self.lowest = 0

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
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")
        # As Go does it: of the query, names without "=" count, too.
        return method, path, urllib.parse.parse_qs(query, keep_blank_values=True), headers, body

    async def write(self, writer, request, status, body, headers=(), faulty=False):
        kind = "application/json" if status == 200 else "text/plain; charset=utf-8"
        data = body.encode()
        lines = ["HTTP/1.1 %d %s" % (status, REASON.get(status, "Status")), "Content-Type: " + kind, "Vary: Accept-Encoding",
                 "X-Consul-Default-Acl-Policy: allow"]
        lines += ["%s: %s" % h for h in headers]
        if "gzip" in request[3].get("accept-encoding", "") and len(data) >= 1400:
            data = gzip.compress(data, 1)
            lines.append("Content-Encoding: gzip")
        lines.append("Content-Length: %d" % len(data))
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        if faulty and MODES["cut_after"] and len(data) > MODES["cut_after"]:
            writer.write(data[:MODES["cut_after"]])
            await writer.drain()
            self.stats["cut"] += 1
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
                if not request or not await answer(request, writer, reader):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    # ---- the API ----
    async def answer(self, request, writer, reader):
        self.stats["requests"] += 1
        while MODES["stall"]:
            await asyncio.sleep(0.05)
        try:
            status, body, headers = await self.route(request, reader)
        except Refused as e:
            status, body, headers = e.status, e.text, []
        except (ValueError, KeyError, TypeError) as e:
            status, body, headers = 400, "Request decode failed: %s" % e, []
        if status is None:
            return False
        return await self.write(writer, request, status, body, headers, True)

    def check_token(self, headers):
        if self.token is None:
            return
        given = headers.get("x-consul-token", "")
        if not given:
            raise Refused(403, "Permission denied: anonymous token lacks permission 'service:read'. The anonymous token is used implicitly when a request does not specify a token.")
        if given != self.token:
            raise Refused(403, "ACL not found")

    async def route(self, request, reader):
        method, path, query, headers, body = request
        if path == "/v1/status/leader":
            self.stats["probes"] += 1
            return 200, '""' if MODES["no_leader"] else '"127.0.0.1:8300"', []
        if MODES["status"]:
            raise Refused(MODES["status"], TEXT.get(MODES["status"], "status %d" % MODES["status"]))
        for key in ("ns", "partition"):
            if query.get(key, ["default"])[0] != "default":
                raise Refused(400, 'Invalid query parameter: "%s" - Namespaces are a Consul Enterprise feature' % key)
        self.check_token(headers)
        name = urllib.parse.unquote(path.rsplit("/", 1)[1])
        if method == "GET" and path.startswith("/v1/health/service/"):
            return await self.health(name, query, reader)
        if method != "PUT":
            raise Refused(405, "method %s not allowed" % method)
        value = json.loads(body) if body else {}
        if path == "/v1/catalog/register":
            self.catalog_register(value)
            return 200, "true", []
        if path == "/v1/catalog/deregister":
            self.store.remove(value["Node"], value["ServiceID"])
            return 200, "true", []
        if path == "/v1/agent/service/register":
            self.stats["registers"] += 1
            self.store.register(value)
        elif path.startswith("/v1/agent/check/update/"):
            self.stats["updates"] += 1
            self.store.update(name, value)
        elif path.startswith("/v1/agent/service/deregister/"):
            self.stats["deregisters"] += 1
            if not self.store.local.pop(name, None):
                raise Refused(404, 'Unknown service ID "%s". Ensure that the service ID is passed, not the service name.' % name)
            self.store.remove("agent", name)
        else:
            raise Refused(404, "Invalid URL path")
        return 200, "", []

    def catalog_register(self, value):
        self.store.put(value["Node"], value["Address"], dict(value["Service"]), value.get("Checks") or [], value.get("NodeMeta"),
                       value.get("Locality"))

    def entries(self, name, query):
        def wanted(e):
            if "passing" in query and query["passing"][0] in ("", "1", "true") and any(c["Status"] != "passing" for c in e["Checks"]):
                return False
            tags = [t.lower() for t in e["Service"]["Tags"]]
            if any(t.lower() not in tags for t in query.get("tag", [])):
                return False
            return matches(e, query["filter"][0]) if "filter" in query else True

        return [e for _, e in sorted(self.store.instances.get(name, {}).items()) if wanted(e)]

    async def health(self, name, query, reader):
        self.stats["queries"] += 1
        if "stale" in query and "consistent" in query:
            raise Refused(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
        if query.get("dc", [self.args.datacenter])[0] != self.args.datacenter:
            raise Refused(500, "No path to datacenter")
        if MODES["no_leader"] and "stale" not in query:
            raise Refused(500, "No cluster leader")
        asked = int(query.get("index", ["0"])[0])
        wait = min(duration(query.get("wait", [""])[0], 300), 600) or 300
        end = time.monotonic() + wait + random.uniform(0, wait / 16)
        store = self.store
        free = MODES["backwards"] or MODES["zero"] or MODES["no_index"] or MODES["no_wait"] or MODES["fast"]
        self.stats["waiting"] += 1
        try:
            while asked and not free and store.index_of(name) <= asked and store.index_of(name) >= 1 and time.monotonic() < end:
                changed = asyncio.ensure_future(store.changed.wait())
                await asyncio.wait([changed], timeout=min(0.2, max(0, end - time.monotonic())))
                changed.cancel()
                if reader.at_eof():
                    return None, "", []
                if self.store is not store:
                    store = self.store
                    break
        finally:
            self.stats["waiting"] -= 1
        while MODES["stall"]:
            await asyncio.sleep(0.05)
        index = store.index_of(name)
        if MODES["backwards"]:
            self.lowest = (self.lowest or index) - 1
            index = max(1, self.lowest)
        if MODES["fast"]:
            self.lowest += 1
            index += self.lowest
        headers = [] if MODES["no_index"] else [("X-Consul-Index", "0" if MODES["zero"] else str(index))]
        headers += [("X-Consul-Knownleader", "false" if MODES["no_leader"] else "true"), ("X-Consul-Lastcontact", "0"),
                    ("X-Consul-Effective-Consistency", "stale" if "stale" in query else "leader"), ("X-Consul-Query-Backend", "blocking-query")]
        entries = self.entries(name, query)
        if MODES["filtered"]:
            headers.append(("X-Consul-Results-Filtered-By-Acls", "true"))
            entries = []
        if MODES["no_leader"]:
            entries = []
        if MODES["odd"]:
            entries = ODD + entries
        return 200, MODES["garbage"] or json.dumps(entries, separators=(",", ":")), headers

    # ---- the control port ----
    async def control(self, request, writer, reader):
        _, path, _, _, body = request
        value = json.loads(body) if body else {}
        out = {}
        if path == "/mode":
            unknown = set(value) - set(MODES)
            if unknown:
                return await self.write(writer, request, 400, "no such mode: %s" % ", ".join(unknown))
            MODES.update(value)
            self.lowest = 0
            self.store.wake()
            out = MODES
        elif path == "/token":
            self.token = value["token"]
        elif path == "/wipe":
            store, self.store = self.store, Store(self.args)
            self.store.index = 10
            store.wake()
        elif path == "/forget":
            for id_ in list(self.store.local):
                self.store.remove("agent", id_)
            self.store.local.clear()
        elif path == "/touch":
            for name in list(self.store.instances):
                self.store.touch(name)
        elif path == "/cut":
            for w in self.writers - {writer}:
                w.transport.abort()
        elif path == "/churn":
            asyncio.ensure_future(self.churn(value))
        elif path == "/stats":
            out = dict(self.stats, index=self.store.index)
        else:
            return await self.write(writer, request, 404, "no such word: %s" % path)
        return await self.write(writer, request, 200, json.dumps(out))

    async def churn(self, what):
        end = time.monotonic() + what["seconds"]
        n = 0
        while time.monotonic() < end:
            n += 1
            id_ = "churn-%d" % (n % what["instances"])
            if not self.store.remove("n", id_):
                self.catalog_register({"Node": "n", "Address": "10.9.0.%d" % (n % what["instances"] + 1),
                                       "Service": {"Service": what["name"], "ID": id_, "Port": 80}})
            await asyncio.sleep(1 / what["rate"])


def matches(entry, expression):
    """Of Consul's expressions those that tests write: PATH == VALUE, VALUE in PATH, and both joined by "and"."""
    for part in expression.split(" and "):
        m = re.fullmatch(r'\s*([A-Za-z.]+)\s*(==|!=)\s*"?([^"]*)"?\s*', part) or \
            re.fullmatch(r'\s*"?([^" ]+)"?\s+(in)\s+([A-Za-z.]+)\s*', part)
        if not m:
            raise Refused(400, "Failed to create boolean expression evaluator: 1:1 (0): no match found")
        left, op, right = m.groups()
        value = entry
        for word in (right if op == "in" else left).split("."):
            value = (value or {}).get(word)
        if (op == "==" and str(value) != right) or (op == "!=" and str(value) == right) or (op == "in" and left not in (value or [])):
            return False
    return True


async def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--listen", required=True)
    p.add_argument("--control")
    p.add_argument("--state")
    p.add_argument("--token")
    p.add_argument("--datacenter", default="dc1")
    p.add_argument("--tls", nargs=2)
    args = p.parse_args()
    agent = Agent(args)
    tls = None
    if args.tls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*args.tls)
    for where, answer, context in ((args.listen, agent.answer, tls), (args.control, agent.control, None)):
        if where:
            host, _, port = where.rpartition(":")
            await asyncio.start_server(lambda r, w, a=answer: agent.serve(r, w, a), host.strip("[]"), int(port), ssl=context)
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.05)
        agent.store.expire()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
