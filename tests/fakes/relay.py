#!/usr/bin/python3
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Listens in a network namespace and connects in the one that it was begun in: so that a test's own namespace reaches a real server.

    relay.py /run/netns/NAME 127.0.0.1:8500 HOST:PORT
"""
import asyncio
import ctypes
import os
import socket
import sys


def enter(fd):
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def listen_in(path, host, port):
    here, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(path, os.O_RDONLY)
    enter(there)
    listener = socket.create_server((host, port))
    enter(here)
    return listener


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    host, port = sys.argv[2].rsplit(":", 1)
    to, to_port = sys.argv[3].rsplit(":", 1)

    async def relay(reader, writer):
        try:
            there, back = await asyncio.open_connection(to.strip("[]"), int(to_port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, back), copy(there, writer))

    server = await asyncio.start_server(relay, sock=listen_in(sys.argv[1], host, int(port)))
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
