#!/usr/bin/env python3
"""Listens where systemd would (NOTIFY_SOCKET): a JSON line for each message. Descriptors that come along are
closed at once, since systemd-notify waits for that (the barrier of sd_notify(3))."""

import array, json, os, socket, sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind(sys.argv[1])
print("listening", flush=True)
while True:
    data, ancillary, _, _ = listener.recvmsg(4096, 1024)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors = array.array("i")
            descriptors.frombytes(content[: len(content) - len(content) % 4])
            for descriptor in descriptors:
                os.close(descriptor)
    print(json.dumps(data.decode().split("\n")), flush=True)
