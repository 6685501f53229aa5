#!/usr/bin/env python3
"""A link between two network namespaces that paces, delays and loses real IP packets, for kernels without netem.

Its ends are two TUN devices, one in each namespace: what the kernel sends into one comes out of the other, later or never. So the kernel's own TCP
notices the losses, and sends again. Both directions are alike. Says `ready` when the link is up; at SIGTERM, as JSON, what it has done.
"""
import argparse
import collections
import fcntl
import json
import os
import random
import select
import signal
import struct
import subprocess
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
# Packets taken from one end before the other one gets its turn.
TURN = 64


def open_end(device, namespace, address, mtu):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
    ip("link", "set", device, "netns", namespace)
    inside = ("-n", namespace)
    ip(*inside, "addr", "add", address, "dev", device)
    ip(*inside, "link", "set", device, "mtu", str(mtu), "txqueuelen", "10000", "up")
    return tun


def ip(*arguments):
    subprocess.run(("ip",) + arguments, check=True)


class Direction:
    def __init__(self, source, sink, shape):
        self.source, self.sink, self.shape = source, sink, shape
        self.chance = random.Random(shape.seed)
        self.waiting = collections.deque()
        self.free_at = 0.0
        self.packets = self.lost = self.overflowed = self.bytes = 0

    def take(self):
        """Packets that the kernel sends: each is lost, or gets the time at which it arrives."""
        shape = self.shape
        for _ in range(TURN):
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            self.packets += 1
            if self.chance.random() * 100 < shape.loss:
                self.lost += 1
                continue
            now = time.monotonic()
            if shape.rate:
                start = max(self.free_at, now)
                if start - now > shape.queue_ms / 1000:
                    self.overflowed += 1
                    continue
                self.free_at = now = start + len(packet) * 8 / shape.rate
            self.bytes += len(packet)
            self.waiting.append((now + shape.delay_ms / 1000, packet))

    def deliver(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            packet = self.waiting.popleft()[1]
            try:
                os.write(self.sink, packet)
            except OSError:
                self.overflowed += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ends", nargs=2, help="DEVICE,NAMESPACE,ADDRESS/BITS")
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=0, help="bits per second; 0: as fast as it goes")
    parser.add_argument("--delay-ms", type=float, default=0, help="one way")
    parser.add_argument("--loss", type=float, default=0, help="per cent of the packets")
    parser.add_argument("--queue-ms", type=float, default=100, help="how long a packet may wait for the ones before it; later ones are dropped")
    parser.add_argument("--seed", type=int, default=1)
    shape = parser.parse_args()
    here, there = (open_end(*end.split(","), shape.mtu) for end in shape.ends)
    directions = (Direction(here, there, shape), Direction(there, here, shape))
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    print("ready", flush=True)
    while running:
        due = min((d.waiting[0][0] for d in directions if d.waiting), default=None)
        timeout = 0.5 if due is None else max(0.0, min(0.5, due - time.monotonic()))
        readable = select.select((here, there), (), (), timeout)[0]
        for direction in directions:
            if direction.source in readable:
                direction.take()
            direction.deliver()
    names = ("packets", "lost", "overflowed", "bytes")
    print(json.dumps({name: sum(getattr(d, name) for d in directions) for name in names}), flush=True)


main()
