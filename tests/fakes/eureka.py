#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""A Eureka server as far as weft asks one: /apps, /apps/delta, registering, heartbeats, taking out. Status codes, keys and their odd
spelling are those of Netflix' server 1.10 and 2.0, which writes JSON out of XML. And what goes wrong with one: see MODES. What
happens is said at the control port; but for that it is to be used as a real one, which tests put in its place with
WEFT_TEST_EUREKA=URL.

    eureka.py --listen 127.0.0.1:8761 [--control 127.0.0.1:8762] [--state FILE] [--user NAME:PASSWORD] [--base /eureka/v2]
              [--apps N --endpoints N]: that many applications SERVICE-0, ... with so many instances each are there at first

    POST   /apps/APP        {"instance": {...}} writes an instance, as with a real one; DELETE /apps/APP/ID takes it out
    POST   /mode            {"NAME": VALUE, ...}, see MODES; {} changes nothing. Answers with all of them
    POST   /user            {"user": "NAME:PASSWORD"}: what is asked with other ones is refused; null: everybody may
    POST   /wipe            nothing is left, as after a restart without its data
    POST   /lose            changes that were not asked for yet are forgotten: the next delta lacks them
    POST   /churn           {"rate": N, "seconds": S}: N instances of SERVICE-... a second get another port, in the background
    GET    /stats           counts of requests by kind, and "churned"

With --state what is written is kept in a file, so that a fake that is killed and begun again is a server that comes back with its data.
"""
import argparse
import base64
import gzip
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

MODES = {
    "status": 0,  # every question is answered with this status
    "stall": False,  # nothing is answered; connections are taken
    "garbage": "",  # what is answered instead of JSON, with status 200
    "odd": False,  # answers begin with entries of wrong types
    "slow": 0,  # bytes a second of a body; 0: as fast as can be
    "cut_after": 0,  # bytes of a body after which the connection ends; 0: never
    "bad_hash": False,  # what changes should lead to is never right
    "no_delta": False,  # lists of changes are switched off
    "single": False,  # a list of one is written without its brackets, as by old writers
    "dead": False,  # leases do not count: nothing is evicted
}
ODD = [7, "text", None, [], {}, {"name": 3, "instance": 4},
       {"name": "WEB", "instance": [3, None, {}, {"instanceId": 1}, {"instanceId": "x", "app": "WEB", "status": "UP", "port": []},
                                    {"instanceId": "y", "app": "WEB", "status": "UP", "ipAddr": "1.2.3.4", "port": {"$": 70000}}]}]
LOCK = threading.Condition()
mode, apps, deltas, stats = dict(MODES), {}, [], {}
options = None


def save():
    if options.state:
        with open(options.state + ".new", "w") as f:
            json.dump(apps, f)
        os.rename(options.state + ".new", options.state)


def change(action, instance):
    instance = dict(instance, actionType=action, lastUpdatedTimestamp=str(int(time.time() * 1000)))
    deltas.append((time.time(), instance))
    while deltas and deltas[0][0] < time.time() - 180:
        deltas.pop(0)
    save()


def lease_of(instance):
    return instance.get("leaseInfo", {}).get("durationInSecs", 90)


def put(app, instance):
    known = apps.setdefault(app, {})
    known[instance["instanceId"]] = dict(instance, app=app, _until=time.time() + lease_of(instance))
    change("ADDED", known[instance["instanceId"]])


def made(app, n, port):
    """Such an instance as Spring's client registers, which is about 1 KB of JSON."""
    ip = "10.%d.%d.%d" % (n >> 16, n >> 8 & 255, n & 255)
    at = "http://%s:%d" % (ip, port)
    return {"instanceId": "%s:%s" % (ip, app.lower()), "hostName": "ip-%s.ec2.internal" % ip.replace(".", "-"), "app": app, "ipAddr": ip, "status": "UP",
            "overriddenStatus": "UNKNOWN", "port": {"$": port, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"}, "countryId": 1,
            "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
            "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90000, "registrationTimestamp": 1700000000000, "lastRenewalTimestamp": 1700000000000,
                          "evictionTimestamp": 0, "serviceUpTimestamp": 1700000000000},
            "metadata": {"management.port": "8080", "zone": "z%d" % (n % 3), "version": "1.2.3"}, "homePageUrl": at + "/",
            "statusPageUrl": at + "/actuator/info", "healthCheckUrl": at + "/actuator/health", "vipAddress": app.lower() + ".vip",
            "secureVipAddress": app.lower() + ".vip", "isCoordinatingDiscoveryServer": "false", "lastDirtyTimestamp": "1700000000000"}


def make(nr_apps, each):
    for a in range(nr_apps):
        app = "SERVICE-%d" % a
        for i in (made(app, a * each + k, 8080) for k in range(each)):
            apps.setdefault(app, {})[i["instanceId"]] = dict(i, _until=time.time() + 90000)


def churn(rate, seconds):
    begin, n = time.time(), 0
    while time.time() < begin + seconds:
        while n < (time.time() - begin) * rate:
            with LOCK:
                app = "SERVICE-%d" % (n % options.apps)
                put(app, made(app, n % options.apps * options.endpoints, 8081 + n // options.apps % 2))
                stats["churned"] = stats.get("churned", 0) + 1
            n += 1
        time.sleep(0.01)


def drop(app, name):
    if name not in apps.get(app, {}):
        return False
    change("DELETED", apps[app].pop(name))
    return True


def evict():
    while True:
        time.sleep(0.2)
        with LOCK:
            for app in list(apps):
                for name, i in list(apps[app].items()):
                    if not mode["dead"] and time.time() > i["_until"]:
                        drop(app, name)


def hash_of():
    count = {}
    for app in apps.values():
        for i in app.values():
            count[i["status"]] = count.get(i["status"], 0) + 1
    if mode["bad_hash"]:
        return "UP_99_"
    return "".join("%s_%d_" % (s, count[s]) for s in sorted(count))


def brackets(items):
    return items[0] if mode["single"] and len(items) == 1 else items


def answer(by_app):
    def clean(i):
        return {k: v for k, v in i.items() if k != "_until"}
    listed = [{"name": a, "instance": brackets([clean(i) for i in items])} for a, items in sorted(by_app.items()) if items]
    return {"applications": {"versions__delta": "1", "apps__hashcode": hash_of(),
                             "application": brackets((ODD if mode["odd"] else []) + listed)}}


def all_apps():
    return answer({a: list(i.values()) for a, i in apps.items()})


def changed():
    last = {}
    for _, i in deltas:
        last[(i["app"], i["instanceId"])] = i
    by_app = {}
    for (app, _), i in last.items():
        by_app.setdefault(app, []).append(i)
    return answer(by_app)


class Eureka(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=None, text=None):
        data = text.encode("utf-8", "surrogateescape") if text is not None else json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        if data and "gzip" in self.headers.get("Accept-Encoding", ""):
            data = gzip.compress(data, 1)
            self.send_header("Content-Encoding", "gzip")
        if data:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if mode["cut_after"]:
            self.wfile.write(data[:mode["cut_after"]])
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if not mode["slow"]:
            self.wfile.write(data)
            return
        for i in range(0, len(data), 20):
            self.wfile.write(data[i:i + 20])
            time.sleep(20 / mode["slow"])

    def refused(self):
        while mode["stall"]:
            time.sleep(0.1)
        if options.user:
            want = "Basic " + base64.b64encode(options.user.encode()).decode()
            if self.headers.get("Authorization") != want:
                self.reply(401)
                return True
        if mode["status"]:
            self.reply(mode["status"])
            return True
        return False

    def run(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        path = unquote(url.path)
        if self.refused():
            return
        if not path.startswith(options.base + "/"):
            return self.reply(404)
        parts = path[len(options.base) + 1:].split("/")
        kind = self.command + " " + ("/".join(parts[:2]) if parts[:2] == ["apps", "delta"] else "apps" if len(parts) == 1 else
                                     "app" if len(parts) == 2 else "instance")
        with LOCK:
            stats[kind] = stats.get(kind, 0) + 1
            status, out, text = self.handle_it(kind, parts, body, parse_qs(url.query))
        self.reply(status, out, text)

    def handle_it(self, kind, parts, body, query):
        app = parts[1].upper() if len(parts) > 1 else ""
        name = parts[2] if len(parts) > 2 else ""
        if kind in ("GET apps", "GET apps/delta") and mode["garbage"]:
            return 200, None, mode["garbage"]
        if kind == "GET apps":
            return 200, all_apps(), None
        if kind == "GET apps/delta":
            return (403, None, None) if mode["no_delta"] else (200, changed(), None)
        if kind == "POST app":
            try:
                instance = json.loads(body)["instance"]
            except (ValueError, KeyError, TypeError):
                return 400, {"error": "no instance"}, None
            for key in ("hostName", "ipAddr", "app", "dataCenterInfo"):
                if not instance.get(key):
                    return 400, {"error": "Missing " + key}, None
            if instance["app"].upper() != app:
                return 400, {"error": "Mismatched appName, expecting %s but was %s" % (app, instance["app"])}, None
            instance.setdefault("instanceId", instance["hostName"])
            put(app, instance)
            return 204, None, None
        if kind == "PUT instance":
            known = apps.get(app, {}).get(name)
            if not known:
                return 404, None, None
            known["_until"] = time.time() + 2 * lease_of(known)  # as Netflix' server, which adds it once too often
            status = query.get("status", [known["status"]])[0]
            if status != known["status"]:
                known["status"] = status
                change("MODIFIED", known)
            return 200, None, None
        if kind == "DELETE instance":
            return (200 if drop(app, name) else 404), None, None
        if kind == "GET app":
            if not apps.get(app):
                return 404, None, None
            return 200, {"application": {"name": app, "instance": [i for i in apps[app].values()]}}, None
        return 404, None, None

    do_GET = do_POST = do_PUT = do_DELETE = run


class Control(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def run(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = None
        with LOCK:
            if self.path == "/mode":
                for key, value in json.loads(body or b"{}").items():
                    if key not in MODES:
                        raise SystemExit("no mode " + key)
                    mode[key] = value
                out = mode
            elif self.path == "/user":
                options.user = json.loads(body)["user"]
            elif self.path == "/wipe":
                apps.clear()
                deltas.clear()
                save()
            elif self.path == "/lose":
                deltas.clear()
            elif self.path == "/churn":
                how = json.loads(body)
                threading.Thread(target=churn, args=(how["rate"], how["seconds"]), daemon=True).start()
            elif self.path == "/stats":
                out = stats
        data = json.dumps(out).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = run


def serve(where, handler):
    host, port = where.rsplit(":", 1)
    ThreadingHTTPServer.daemon_threads = True
    server = ThreadingHTTPServer((host, int(port)), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    global options
    p = argparse.ArgumentParser()
    p.add_argument("--listen", required=True)
    p.add_argument("--control")
    p.add_argument("--state")
    p.add_argument("--user")
    p.add_argument("--base", default="/eureka/v2")
    p.add_argument("--apps", type=int, default=0)
    p.add_argument("--endpoints", type=int, default=10)
    options = p.parse_args()
    if options.state and os.path.exists(options.state):
        with open(options.state) as f:
            for app, known in json.load(f).items():
                apps[app] = {n: dict(i, _until=time.time() + 2 * lease_of(i)) for n, i in known.items()}
    make(options.apps, options.endpoints)
    serve(options.listen, Eureka)
    if options.control:
        serve(options.control, Control)
    threading.Thread(target=evict, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
