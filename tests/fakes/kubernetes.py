#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""A Kubernetes API server as far as Services and EndpointSlices go: lists in pages with resourceVersion and continue, watches with bookmarks
in chunks, 410 and 504 for versions that are gone or not yet there, bearer tokens that are read anew, TLS, gzip. And what goes wrong with one:
see MODES. Objects and faults come in at the control port.

    kubernetes.py --listen 127.0.0.1:6443 --control 127.0.0.1:6444 [--token-file FILE] [--tls CERT KEY]
                  [--history N] [--services N --endpoints N]

    POST /apply    an object, or a list of them, as kubectl has them
    POST /delete   {"kind": "Service", "namespace": "default", "name": "web"}, or a list of such
    POST /mode     {"NAME": VALUE, ...}, see MODES
    POST /compact  watches and lists that go on from before now are told 410
    POST /cut      all connections of watches are cut
    POST /churn    {"rate": 1000, "seconds": 10}: endpoints of the services of --services change
    POST /wipe     nothing is left, and versions begin at 1 again, as after a restore
    GET  /stats    counts of requests
"""
import argparse
import asyncio
import base64
import json
import random
import ssl
import sys
import time
import urllib.parse
import zlib

MODES = {
    "stall": False,  # watches say nothing any more, not even bookmarks; lists do not answer
    "garbage": False,  # lists and events are no JSON
    "status": 0,  # everything is answered with this status
    "slow": 0,  # bytes a second of a list's body; 0: as fast as can be
    "cut_after": 0,  # bytes after which a body ends with the connection; 0: never
    "odd": False,  # every list begins with objects of wrong types
    "bookmark": 60.0,  # seconds between bookmarks
    "watch_most": 3600.0,  # seconds
    "nodes": {},  # no fault: names of Nodes and their zones
    "gone_events": False,  # a watch that is too old gets an ERROR event instead of a status
}
KINDS = (
    ("/api/v1", ("services", "Service", "v1")),
    ("/api/v1", ("pods", "Pod", "v1")),
    ("/apis/discovery.k8s.io/v1", ("endpointslices", "EndpointSlice", "discovery.k8s.io/v1")),
)
ODD = [
    7, "text", None, [], {}, {"metadata": 3}, {"metadata": {"name": "x", "namespace": "default"}},
    {"metadata": {"name": "odd", "namespace": "default", "resourceVersion": "1"}, "spec": []},
    {"metadata": {"name": "odd/../x", "namespace": "default", "resourceVersion": "1"}, "spec": {}},
    {"metadata": {"name": "odd2", "namespace": "default", "resourceVersion": "1", "labels": {"kubernetes.io/service-name": 3}},
     "addressType": "IPv4", "spec": {"clusterIPs": [1, None, "x"], "ports": [{"port": "80"}, {"port": 70000}, 3]},
     "ports": {}, "endpoints": [{"addresses": "10.0.0.1"}, 3]},
]


class Store:
    """Objects, and the last changes of them."""

    def __init__(self, history):
        self.history = history
        self.start()

    def start(self):
        self.version = 1
        self.objects = {what[1]: {} for _, what in KINDS}
        self.texts = {what[1]: {} for _, what in KINDS}
        self.events = []  # (version, kind, namespace, bytes)
        self.first = 1  # versions before this one are gone
        self.changed = asyncio.Event()

    def wake(self):
        self.changed.set()
        self.changed = asyncio.Event()

    def note(self, kind, type_, obj):
        text = json.dumps(obj, separators=(",", ":"))
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        self.events.append((self.version, kind, key[0], ('{"type":"%s","object":%s}\n' % (type_, text)).encode()))
        if len(self.events) > 2 * self.history:
            self.first = self.events[self.history][0]
            del self.events[:self.history]
        return key, text

    def apply(self, obj):
        kind, meta = obj["kind"], obj["metadata"]
        meta.setdefault("namespace", "default")
        self.version += 1
        there = (meta["namespace"], meta["name"]) in self.objects[kind]
        meta["resourceVersion"] = str(self.version)
        meta.setdefault("uid", "u-%s-%s-%s" % (kind, meta["namespace"], meta["name"]))
        key, text = self.note(kind, "MODIFIED" if there else "ADDED", obj)
        self.objects[kind][key] = obj
        self.texts[kind][key] = text

    def delete(self, kind, namespace, name):
        obj = self.objects[kind].pop((namespace, name), None)
        self.texts[kind].pop((namespace, name), None)
        if obj:
            self.version += 1
            obj["metadata"]["resourceVersion"] = str(self.version)
            self.note(kind, "DELETED", obj)

    def compact(self):
        self.version += 2  # something else changed, as it does
        self.first = self.version
        self.events.clear()


def node_of(q):
    """The one field selector that there is."""
    field = q.get("fieldSelector", "")
    return field[14:] if field.startswith("spec.nodeName=") else None


def managed_fields():
    """About as much as a real object carries along."""
    return [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
             "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                                                    "f:spec": {"f:ports": {".": {}}, "f:selector": {}, "f:type": {}}}}]


def make_service(i):
    ip = "10.%d.%d.%d" % (100 + i // 62500, i // 250 % 250, i % 250 + 1)
    return {"kind": "Service", "apiVersion": "v1",
            "metadata": {"name": "s%d" % i, "namespace": "n%d" % (i % 50), "creationTimestamp": "2026-01-01T00:00:00Z",
                         "labels": {"app": "s%d" % i}, "managedFields": managed_fields()},
            "spec": {"clusterIP": ip, "clusterIPs": [ip], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "type": "ClusterIP",
                     "internalTrafficPolicy": "Cluster", "sessionAffinity": "None", "selector": {"app": "s%d" % i},
                     "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]},
            "status": {"loadBalancer": {}}}


def make_slice(i, nr, shift=0):
    ends = []
    for k in range(nr):
        n = i * nr + k
        ends.append({"addresses": ["10.%d.%d.%d" % (1 + n // 62500, n // 250 % 250, (n + (shift if k == 0 else 0)) % 250 + 1)],
                     "conditions": {"ready": True, "serving": True, "terminating": False}, "nodeName": "node-%d" % (n % 500),
                     "targetRef": {"kind": "Pod", "namespace": "n%d" % (i % 50), "name": "s%d-6f7c9d-%05d" % (i, k), "uid": "u%d" % n},
                     "zone": "zone-%d" % (n % 3)})
    return {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv4", "endpoints": ends,
            "metadata": {"name": "s%d-abcde" % i, "namespace": "n%d" % (i % 50), "generateName": "s%d-" % i,
                         "labels": {"app": "s%d" % i, "kubernetes.io/service-name": "s%d" % i,
                                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
                         "managedFields": managed_fields()},
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}


# What there is to be asked for, so that kubectl finds its way, too.
GROUP = {"groupVersion": "discovery.k8s.io/v1", "version": "v1"}
CATALOGUE = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1",
              "groups": [{"name": "discovery.k8s.io", "versions": [GROUP], "preferredVersion": GROUP}]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "namespaces", "singularName": "namespace", "namespaced": False, "kind": "Namespace", "verbs": ["create", "delete"]},
        {"name": "services", "singularName": "service", "namespaced": True, "kind": "Service", "verbs": ["create", "list", "watch"], "shortNames": ["svc"]}]},
    "/apis/discovery.k8s.io/v1": {"kind": "APIResourceList", "groupVersion": "discovery.k8s.io/v1", "resources": [
        {"name": "endpointslices", "singularName": "endpointslice", "namespaced": True, "kind": "EndpointSlice", "verbs": ["create", "list", "watch"]}]},
}


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}


class Server:
    def __init__(self, args):
        self.args = args
        self.store = Store(args.history)
        self.mode = dict(MODES)
        self.stats = {"lists": 0, "pages": 0, "watches": 0, "open": 0, "gone": 0, "refused": 0, "bookmarks": 0, "events": 0}
        self.watches = set()

    # ---- answers ----

    async def head(self, w, code, headers):
        w.write(("HTTP/1.1 %d X\r\n%s\r\n" % (code, "".join("%s: %s\r\n" % h for h in headers))).encode())
        await w.drain()

    async def answer(self, w, code, body, headers=()):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.head(w, code, [("Content-Type", "application/json"), ("Content-Length", len(text)), *headers])
        if code == 200 and self.mode["cut_after"] and len(text) > self.mode["cut_after"]:
            w.write(text[:self.mode["cut_after"]])
            await w.drain()
            raise ConnectionResetError
        if code == 200 and self.mode["slow"]:
            step = max(1, self.mode["slow"] // 10)
            for i in range(0, len(text), step):
                w.write(text[i:i + step])
                await w.drain()
                await asyncio.sleep(0.1)
        else:
            w.write(text)
        await w.drain()

    async def refuse(self, w, code, reason, message):
        self.stats["gone" if code == 410 else "refused"] += 1
        await self.answer(w, code, status(code, reason, message))

    async def list(self, w, what, namespace, q, gzip):
        plural, kind, version = what
        store, limit = self.store, int(q.get("limit", 0))
        start, at = None, store.version
        if "continue" in q:
            try:
                at, *start = json.loads(base64.b64decode(q["continue"]))
                start = tuple(start)
            except ValueError:
                return await self.refuse(w, 400, "BadRequest", "continue key is not valid")
            if at < store.first:
                return await self.refuse(w, 410, "Expired", "The provided continue parameter is too old")
        elif q.get("resourceVersion", "0") not in ("0", ""):
            if q.get("resourceVersionMatch") != "NotOlderThan" and limit and int(q["resourceVersion"]) < store.first:
                return await self.refuse(w, 410, "Expired", "The resourceVersion for the provided list is too old")
            if int(q["resourceVersion"]) > store.version:
                return await self.refuse(w, 504, "Timeout", "Too large resource version: %s, current: %d" % (q["resourceVersion"], store.version))
        self.stats["pages" if start else "lists"] += 1
        if self.mode["garbage"]:
            return await self.answer(w, 200, b'{"kind": "List", "items": [{"metadata": <html>sorry</html>')
        keys = sorted(k for k in store.texts[kind] if (not namespace or k[0] == namespace) and (not start or k > start))
        selector = [s.split("=") for s in q.get("labelSelector", "").split(",") if s]
        if selector:
            keys = [k for k in keys if all(store.objects[kind][k]["metadata"].get("labels", {}).get(n) == v for n, v in selector)]
        node = node_of(q)
        if node:
            keys = [k for k in keys if store.objects[kind][k]["spec"].get("nodeName") == node]
        more = limit and len(keys) > limit
        keys = keys[:limit] if more else keys
        meta = {"resourceVersion": str(at)}
        if more:
            meta["continue"] = base64.b64encode(json.dumps([at, *keys[-1]]).encode()).decode()
            meta["remainingItemCount"] = 1
        items = [store.texts[kind][k] for k in keys]
        if self.mode["odd"]:
            items = [json.dumps(o) for o in ODD if isinstance(o, dict)] + items
        text = '{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[%s]}\n' % (kind, version, json.dumps(meta), ",".join(items))
        text = text.encode()
        headers = []
        if gzip and len(text) > 128 * 1024:
            z = zlib.compressobj(1, zlib.DEFLATED, 31)
            text = z.compress(text) + z.flush()
            headers = [("Content-Encoding", "gzip")]
        await self.answer(w, 200, text, headers)

    async def chunk(self, w, text):
        w.write(b"%x\r\n%s\r\n" % (len(text), text))
        await w.drain()

    async def watch(self, w, what, namespace, q):
        _, kind, version = what
        store = self.store
        at = int(q.get("resourceVersion") or 0)
        if at > store.version:
            return await self.refuse(w, 504, "Timeout", "Too large resource version: %d, current: %d" % (at, store.version))
        gone = at and at + 1 < store.first
        if gone and not self.mode["gone_events"]:
            return await self.refuse(w, 410, "Expired", "too old resource version: %d (%d)" % (at, store.first))
        await self.head(w, 200, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
        if gone:
            self.stats["gone"] += 1
            await self.chunk(w, json.dumps({"type": "ERROR", "object": status(410, "Expired", "too old resource version")}).encode() + b"\n")
            return await self.chunk(w, b"")
        self.stats["watches"] += 1
        self.stats["open"] += 1
        self.watches.add(w)
        try:
            await self.feed(w, what, namespace, at, min(float(q.get("timeoutSeconds", 1800)), self.mode["watch_most"]),
                            q.get("allowWatchBookmarks") == "true", node_of(q))
            await self.chunk(w, b"")
        finally:
            self.stats["open"] -= 1
            self.watches.discard(w)

    async def feed(self, w, what, namespace, at, seconds, bookmarks, node=None):
        _, kind, version = what
        store, end, mark = self.store, time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end and not w.requests.at_eof():
            changed = store.changed
            if self.mode["stall"]:
                await asyncio.sleep(0.05)
                continue
            if store.events and store.events[-1][0] > at:
                i = len(store.events)
                while i and store.events[i - 1][0] > at:
                    i -= 1
                out = [e[3] for e in store.events[i:] if e[1] == kind and (not namespace or e[2] == namespace)]
                if node:
                    out = [e for e in out if json.loads(e)["object"]["spec"].get("nodeName") == node]
                at = store.events[-1][0]
                if out:
                    self.stats["events"] += len(out)
                    await self.chunk(w, b"<html>" if self.mode["garbage"] else b"".join(out))
                    mark = time.monotonic()
            elif at < store.first - 1:
                await self.chunk(w, json.dumps({"type": "ERROR", "object": status(410, "Expired", "too old")}).encode() + b"\n")
                return
            if bookmarks and time.monotonic() - mark >= self.mode["bookmark"]:
                self.stats["bookmarks"] += 1
                await self.chunk(w, json.dumps({"type": "BOOKMARK", "object": {"kind": kind, "apiVersion": version,
                                                "metadata": {"resourceVersion": str(max(at, store.version)), "creationTimestamp": None}}}).encode() + b"\n")
                at, mark = max(at, store.version), time.monotonic()
            try:
                wait = min(end, mark + self.mode["bookmark"] if bookmarks else end) - time.monotonic()
                await asyncio.wait_for(changed.wait(), max(0.001, min(wait, 0.5)))
            except asyncio.TimeoutError:
                pass

    # ---- requests ----

    async def request(self, r):
        line = await r.readline()
        if not line:
            return None
        method, target, _ = line.decode().split(" ", 2)
        headers = {}
        while (line := (await r.readline()).decode().strip()):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = await r.readexactly(int(headers.get("content-length", 0)))
        return method, target, headers, body

    def allowed(self, headers):
        if not self.args.token_file:
            return True
        with open(self.args.token_file, encoding="ascii") as f:
            return headers.get("authorization") == "Bearer " + f.read().strip()

    async def write(self, w, method, path, body):
        """As much as `kubectl create` and `kubectl delete namespace` need."""
        if method != "POST":
            return await self.answer(w, 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        obj = json.loads(body)
        if obj["kind"] in self.store.objects:
            obj["metadata"]["namespace"] = path.split("/namespaces/")[1].split("/")[0]
            if obj["kind"] == "Service" and "clusterIP" not in obj["spec"]:
                obj["spec"]["clusterIP"] = "10.96.%d.%d" % divmod(self.store.version % 60000 + 256, 250)
            self.store.apply(obj)
            self.store.wake()
        return await self.answer(w, 201, obj)

    async def api(self, w, method, target, headers, body):
        url = urllib.parse.urlsplit(target)
        q = dict(urllib.parse.parse_qsl(url.query))
        if not self.allowed(headers):
            return await self.refuse(w, 401, "Unauthorized", "Unauthorized")
        while self.mode["stall"] and q.get("watch") != "true":
            await asyncio.sleep(0.05)
        if self.mode["status"]:
            return await self.refuse(w, self.mode["status"], "Fault", "no, because of reasons")
        if method != "GET":
            return await self.write(w, method, url.path, body)
        if url.path in CATALOGUE:
            return await self.answer(w, 200, CATALOGUE[url.path])
        if url.path.startswith("/api/v1/nodes/") and url.path[14:] in self.mode["nodes"]:
            name = url.path[14:]
            labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": self.mode["nodes"][name]}
            return await self.answer(w, 200, {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": labels}})
        for prefix, what in KINDS:
            for path, namespace in ((prefix + "/" + what[0], None), (prefix + "/namespaces/", "")):
                if namespace == "" and url.path.startswith(path) and url.path.endswith("/" + what[0]):
                    namespace = url.path[len(path):-len(what[0]) - 1]
                elif namespace == "" or url.path != path:
                    continue
                if q.get("watch") in ("true", "1"):
                    return await self.watch(w, what, namespace, q)
                return await self.list(w, what, namespace, q, "gzip" in headers.get("accept-encoding", ""))
        return await self.refuse(w, 404, "NotFound", "the server could not find the requested resource")

    async def serve(self, r, w):
        w.requests = r
        try:
            while (got := await self.request(r)):
                await self.api(w, *got)
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            w.transport.abort()

    # ---- control ----

    async def churn(self, rate, seconds):
        """Changes one endpoint of one service at a time."""
        begin, done = time.monotonic(), 0
        while (now := time.monotonic() - begin) < seconds:
            while done < now * rate:
                done += 1
                self.store.apply(make_slice(random.randrange(self.args.services), self.args.endpoints, done))
            self.store.wake()
            await asyncio.sleep(0.002)
        self.stats["churned"] = self.stats.get("churned", 0) + done

    async def command(self, path, body):
        store = self.store
        data = json.loads(body) if body else {}
        many = data if isinstance(data, list) else [data]
        if path == "/apply":
            for o in many:
                store.apply(o)
        elif path == "/delete":
            for o in many:
                store.delete(o["kind"], o.get("namespace", "default"), o["name"])
        elif path == "/mode":
            unknown = set(data) - set(MODES)
            if unknown:
                raise ValueError("no such mode: %s" % unknown)
            self.mode.update(data)
        elif path == "/compact":
            store.compact()
        elif path == "/cut":
            for w in list(self.watches):
                w.transport.abort()
        elif path == "/churn":
            asyncio.ensure_future(self.churn(data["rate"], data["seconds"]))
        elif path == "/wipe":
            for w in list(self.watches):
                w.transport.abort()
            store.start()
        elif path != "/stats":
            raise ValueError("no such command")
        store.wake()
        return dict(self.stats, version=store.version, services=len(store.texts["Service"]), slices=len(store.texts["EndpointSlice"]))

    async def control(self, r, w):
        try:
            while (got := await self.request(r)):
                try:
                    text = json.dumps(await self.command(got[1], got[3]))
                    code = 200
                except (ValueError, KeyError, TypeError) as e:
                    text, code = json.dumps({"error": repr(e)}), 400
                w.write(("HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (code, len(text), text)).encode())
                await w.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            w.close()


def place(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--listen", required=True)
    p.add_argument("--control", required=True)
    p.add_argument("--token-file")
    p.add_argument("--tls", nargs=2)
    p.add_argument("--history", type=int, default=20000)
    p.add_argument("--services", type=int, default=0)
    p.add_argument("--endpoints", type=int, default=10)
    p.add_argument("--objects", help="a file of objects, a list, to begin with")
    args = p.parse_args()
    s = Server(args)
    for i in range(args.services):
        s.store.apply(make_service(i))
        s.store.apply(make_slice(i, args.endpoints))
    if args.objects:
        with open(args.objects, encoding="utf-8") as f:
            for o in json.load(f):
                s.store.apply(o)
    tls = None
    if args.tls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*args.tls)
    await asyncio.start_server(s.serve, *place(args.listen), ssl=tls)
    await asyncio.start_server(s.control, *place(args.control))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
