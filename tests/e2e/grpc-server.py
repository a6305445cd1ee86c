#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A gRPC server with the health service, of which file STATE has a line "SERVICE STATUS" for each service that it knows (status: a
# number of ServingStatus). Usage: grpc-server.py STATE ADDRESS:PORT [CERTIFICATE KEY]
import sys
from concurrent import futures
import grpc


def check(request, context):
    name = request[2:].decode()  # field 1, shorter than 128 bytes; empty when it is not there
    with open(sys.argv[1]) as state:
        known = dict(line.rstrip("\n").rsplit(" ", 1) for line in state)
    if name not in known:
        context.abort(grpc.StatusCode.NOT_FOUND, "no service " + name)
    return bytes([8, int(known[name])])


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
    "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}),))
if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as certificate, open(sys.argv[4], "rb") as key:
        server.add_secure_port(sys.argv[2], grpc.ssl_server_credentials(((key.read(), certificate.read()),)))
else:
    server.add_insecure_port(sys.argv[2])
server.start()
print("ready", flush=True)
server.wait_for_termination()
