#!/usr/bin/env python3
"""A Tuya device on TCP, written with tinytuya's own framing and ciphers.

Prints `{"port":N}` when it listens, then one JSON line for each request and each event:

    {"cmd":7,"seqno":1,"payload":{...}}     payload: JSON, or null when empty
    {"event":"connected"}                   also "negotiated" and "closed"
    {"violation":"..."}                     a request that a real device would not accept

Reads one JSON object for each line of standard input and ends when that closes:

    {"push":{"1":true}}                     change data points and push them; "cid" for a sub-device
    {"close":true}                          close every connection
"""

import argparse
import hashlib
import hmac
import json
import random
import selectors
import socket
import struct
import sys
import time

from tinytuya.core import command_types as CT
from tinytuya.core import header as H
from tinytuya.core.crypto_helper import AESCipher
from tinytuya.core.exceptions import DecodeError
from tinytuya.core.message_helper import TuyaMessage, pack_message, parse_header, unpack_message

NEGOTIATION = (CT.SESS_KEY_NEG_START, CT.SESS_KEY_NEG_FINISH)
HEADER_LEN = 15
ENVELOPE_31_LEN = 19
IDLE_SECONDS = 30


class Refused(Exception):
    """Error on which a real device closes the connection."""


def say(**line):
    print(json.dumps(line, separators=(",", ":")), flush=True)


class Store:
    """Data points of the device and its sub-devices."""

    def __init__(self, dps, children):
        self.own = dps
        self.children = children

    def of(self, cid):
        return self.own if cid is None else self.children.get(cid)


class Connection:
    """One controller: framing, keys and counters."""

    def __init__(self, device, sock):
        self.device = device
        self.version = device.version
        self.sock = sock
        self.buffer = b""
        self.session = None
        self.device_nonce = None
        self.client_nonce = None
        self.restarted = False
        self.counter = random.randrange(1, 0x10000)
        self.reports = random.randrange(0x100000000)
        self.last_seqno = 0
        self.early = 0
        self.last_rx = time.monotonic()

    @property
    def negotiates(self):
        return self.version in ("3.4", "3.5")

    @property
    def ready(self):
        return self.session is not None or not self.negotiates

    def key_for(self, cmd):
        return self.device.key if cmd in NEGOTIATION else self.session

    # -- receiving

    def feed(self, data):
        self.buffer += data
        while True:
            starts = [self.buffer.find(p) for p in (H.PREFIX_55AA_BIN, H.PREFIX_6699_BIN)]
            starts = [at for at in starts if at >= 0]
            if not starts:
                self.buffer = self.buffer[-3:]
                return
            self.buffer = self.buffer[min(starts) :]
            if len(self.buffer) < 18:
                return
            header = parse_header(self.buffer)
            if len(self.buffer) < header.total_length:
                return
            frame, self.buffer = (
                self.buffer[: header.total_length],
                self.buffer[header.total_length :],
            )
            self.frame(frame, header)

    def frame(self, frame, header):
        modern = header.prefix == H.PREFIX_6699_VALUE
        if modern != (self.version == "3.5"):
            say(violation="frame of another version")
            if self.negotiates:
                raise Refused
            return
        suffix = H.SUFFIX_6699_BIN if modern else H.SUFFIX_BIN
        if frame[-4:] != suffix:
            say(violation="wrong suffix")
            return
        if self.negotiates and header.cmd not in NEGOTIATION and self.session is None:
            self.early += 1
            say(violation="command before the negotiation")
            if self.early > 3:
                raise Refused
            return
        key = self.key_for(header.cmd) if self.negotiates else None
        message = unpack_message(frame, hmac_key=key, header=header, no_retcode=True)
        if not message.crc_good:
            say(violation="integrity")
            if self.negotiates:
                raise Refused
            return
        if self.negotiates and message.seqno <= self.last_seqno:
            say(violation=f"sequence number {message.seqno} after {self.last_seqno}")
            raise Refused
        self.last_seqno = message.seqno
        self.last_rx = time.monotonic()
        if message.cmd in NEGOTIATION and self.negotiates:
            self.negotiate(message)
            return
        self.device.request(self, message.seqno, message.cmd, self.open(message))

    def open(self, message):
        """Return the request without version header and encryption, or None if it is unreadable."""
        body = message.payload
        wants_header = message.cmd not in H.NO_PROTOCOL_HEADER_CMDS
        cipher = AESCipher(self.session or self.device.key)
        try:
            if self.version == "3.1":
                if message.cmd != CT.CONTROL:
                    return body
                self.check_signature(body)
                return cipher.decrypt(
                    body[ENVELOPE_31_LEN:], decode_text=False, verify_padding=True
                )
            if self.version == "3.4":
                body = cipher.decrypt(body, False, decode_text=False, verify_padding=True)
            has_header = body.startswith(self.version.encode())
            if has_header != wants_header:
                say(violation=f"version header: found {has_header}, wanted {wants_header}")
            if has_header:
                body = body[HEADER_LEN:]
            if self.version in ("3.2", "3.3"):
                body = cipher.decrypt(body, False, decode_text=False, verify_padding=True)
            return body
        except ValueError as error:
            say(violation=f"cannot decrypt command {message.cmd}: {error}")
            return None

    def check_signature(self, body):
        if not body.startswith(H.PROTOCOL_VERSION_BYTES_31):
            raise ValueError("no 3.1 envelope")
        text = b"data=" + body[ENVELOPE_31_LEN:] + b"||lpv=3.1||" + self.device.key
        if hashlib.md5(text).hexdigest()[8:24].encode() != body[3:ENVELOPE_31_LEN]:
            raise ValueError("wrong 3.1 signature")

    def negotiate(self, message):
        payload = message.payload
        if self.version == "3.4":
            payload = AESCipher(self.device.key).decrypt(
                payload, False, decode_text=False, verify_padding=True
            )
        if self.session is not None:
            say(violation="negotiation after the session key exists")
            raise Refused
        if message.cmd == CT.SESS_KEY_NEG_START:
            self.client_nonce = payload[:16]
            zero = self.device.zero_key and not self.restarted
            self.restarted = True
            self.device_nonce = b"%016x" % random.getrandbits(64)
            while (self.derive()[0] == 0) != zero:
                # Unlike firmware, not only hex digits: with those, 3.5 may have no nonce that gives a zero.
                self.device_nonce = random.randbytes(16)
            proof = hmac.new(self.device.key, self.client_nonce, hashlib.sha256).digest()
            self.send(None, CT.SESS_KEY_NEG_RESP, self.device_nonce + proof)
            return
        if self.device_nonce is None:
            say(violation="FINISH before START")
            raise Refused
        proof = hmac.new(self.device.key, self.device_nonce, hashlib.sha256).digest()
        if payload[:32] != proof:
            say(violation="wrong proof in FINISH")
            raise Refused
        key = self.derive()
        if key[0] == 0:
            # Firmware treats a first byte of zero as "no key": it continues as if FINISH had not arrived.
            say(violation="session key that starts with zero")
            return
        self.session = key
        say(event="negotiated")

    def derive(self):
        """Derive the session key from both nonces."""
        mixed = bytes(a ^ b for a, b in zip(self.client_nonce, self.device_nonce))
        cipher = AESCipher(self.device.key)
        if self.version == "3.4":
            return cipher.encrypt(mixed, use_base64=False, pad=False)
        iv = self.client_nonce[:12]
        return cipher.encrypt(mixed, use_base64=False, pad=False, iv=iv)[12:28]

    # -- sending

    def send(self, request_seqno, cmd, payload=b"", retcode=0):
        """Send a reply (with the request's number) or a push (without)."""
        if isinstance(payload, (dict, list)):
            payload = json.dumps(payload, separators=(",", ":"))
        if isinstance(payload, str):
            payload = payload.encode()
        key = self.device.key if cmd == CT.SESS_KEY_NEG_RESP else self.session or self.device.key
        head = b""
        if payload and cmd == CT.STATUS and self.version != "3.1":
            self.reports = (self.reports + 1) & 0xFFFFFFFF
            head = self.version.encode() + struct.pack(">III", 0, self.reports, 1)
        if self.negotiates:
            seqno, self.counter = self.counter, self.counter + 1
        else:
            seqno = 0 if request_seqno is None or cmd == CT.HEART_BEAT else request_seqno
        self.sock.sendall(self.pack(seqno, cmd, retcode, head, payload, key))

    def pack(self, seqno, cmd, retcode, head, payload, key):
        if self.version == "3.5":
            body = head + payload
            message = TuyaMessage(seqno, cmd, retcode, body, 0, True, H.PREFIX_6699_VALUE, True)
            return pack_message(message, hmac_key=key)
        cipher = AESCipher(key)
        body = payload
        if payload and self.version == "3.4":
            body = cipher.encrypt(head + payload, use_base64=False)
        elif payload and self.version in ("3.2", "3.3"):
            body = head + cipher.encrypt(payload, use_base64=False)
        elif payload and cmd == CT.STATUS:
            data = cipher.encrypt(payload)
            text = b"data=" + data + b"||lpv=3.1||" + key
            body = b"3.1" + hashlib.md5(text).hexdigest()[8:24].encode() + data
        body = struct.pack(H.MESSAGE_RETCODE_FMT, retcode) + body
        message = TuyaMessage(seqno, cmd, 0, body, 0, True, H.PREFIX_55AA_VALUE, False)
        return pack_message(message, hmac_key=key if self.version == "3.4" else None)


class Device:
    def __init__(self, args, children):
        self.version = args.version
        self.id = args.id
        self.key = args.key.encode("latin1")
        self.device22 = args.device22 or args.version == "3.2"
        self.zero_key = args.zero_key
        self.store = Store(args.dps, children)
        self.connections = {}
        self.selector = selectors.DefaultSelector()
        family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
        self.listener = socket.create_server((args.host, args.port), family=family)
        self.listener.setblocking(False)

    # -- answers

    def request(self, connection, seqno, cmd, body):
        try:
            payload = json.loads(body) if body else None
        except ValueError:
            payload = body.decode("utf-8", "replace")
        say(cmd=cmd, seqno=seqno, payload=payload)
        if body and b" " in body:
            # No value of the tests contains spaces, so these are between tokens.
            say(violation="JSON with spaces")
        if cmd == CT.HEART_BEAT:
            connection.send(seqno, cmd)
        elif cmd in (CT.DP_QUERY, CT.DP_QUERY_NEW):
            self.query(connection, seqno, cmd, payload)
        elif cmd in (CT.CONTROL, CT.CONTROL_NEW):
            self.control(connection, seqno, cmd, payload, body)
        elif cmd == CT.UPDATEDPS:
            self.update(connection, seqno, cmd, payload)
        elif cmd == CT.LAN_EXT_STREAM:
            self.sub_devices(connection, seqno, cmd, payload)

    def query(self, connection, seqno, cmd, payload):
        if not isinstance(payload, dict):
            connection.send(seqno, cmd, "data format error", retcode=1)
            return
        if self.device22:
            connection.send(seqno, cmd, "json obj data unvalid", retcode=1)
            return
        cid = payload.get("cid")
        dps = self.store.of(cid)
        if dps is None:
            return
        answer = {"dps": dps}
        if cid is not None:
            answer["cid"] = cid
        elif self.version != "3.4":
            answer["devId"] = self.id
        connection.send(seqno, cmd, answer)

    def control(self, connection, seqno, cmd, payload, body):
        if body is None or not isinstance(payload, dict):
            if connection.negotiates or body is not None:
                connection.send(seqno, cmd, "parse data error", retcode=1)
            return
        data = payload.get("data", payload)
        dps = data.get("dps")
        if not isinstance(dps, dict):
            connection.send(seqno, cmd, "data format error", retcode=1)
            return
        cid = data.get("cid", payload.get("cid"))
        store = self.store.of(cid)
        if store is None:
            return
        connection.send(seqno, cmd)
        if dps and all(value is None for value in dps.values()):
            found = {dp: store[dp] for dp in dps if dp in store}
            if self.device22 and found:
                self.push(found, cid, [connection])
            return
        store.update(dps)
        self.push(dps, cid)

    def update(self, connection, seqno, cmd, payload):
        wanted = payload.get("dpId", []) if isinstance(payload, dict) else []
        cid = payload.get("cid") if isinstance(payload, dict) else None
        store = self.store.of(cid) or {}
        connection.send(seqno, cmd)
        found = {str(dp): store[str(dp)] for dp in wanted if str(dp) in store}
        if found:
            self.push(found, cid)

    def sub_devices(self, connection, seqno, cmd, payload):
        asked = isinstance(payload, dict) and payload.get("reqType") == "subdev_online_stat_query"
        if asked and self.store.children:
            data = {"online": list(self.store.children), "offline": []}
            report = {"reqType": "subdev_online_stat_report", "data": data}
            connection.send(seqno, cmd, report)

    def push(self, dps, cid=None, only=None):
        now = int(time.time())
        if self.version in ("3.4", "3.5"):
            data = {"dps": dps}
            if cid is not None:
                data["cid"] = cid
            message = {"protocol": 4, "t": now, "data": data}
        elif cid is not None:
            message = {"dps": dps, "cid": cid, "t": now}
        else:
            message = {"devId": self.id, "dps": dps, "t": now}
            if self.version == "3.1":
                message["s"] = 8
        for connection in only or list(self.connections.values()):
            if connection.ready:
                connection.send(None, CT.STATUS, message)

    # -- sockets

    def order(self, line):
        """Execute one line of standard input."""
        order = json.loads(line)
        if "push" in order:
            self.store.of(order.get("cid")).update(order["push"])
            self.push(order["push"], order.get("cid"))
        if order.get("close"):
            for sock in list(self.connections):
                self.drop(sock)

    def drop(self, sock):
        self.selector.unregister(sock)
        self.connections.pop(sock)
        sock.close()
        say(event="closed")

    def accept(self):
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections[sock] = Connection(self, sock)
        self.selector.register(sock, selectors.EVENT_READ)
        say(event="connected")

    def read(self, sock):
        try:
            data = sock.recv(65536)
            if not data:
                self.drop(sock)
                return
            self.connections[sock].feed(data)
        except (Refused, DecodeError, OSError, ValueError) as error:
            if not isinstance(error, Refused):
                say(violation=f"{type(error).__name__}: {error}")
            self.drop(sock)

    def run(self):
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(sys.stdin.buffer.raw, selectors.EVENT_READ)
        say(port=self.listener.getsockname()[1])
        typed = b""
        while True:
            for key, _ in self.selector.select(timeout=1):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is sys.stdin.buffer.raw:
                    data = sys.stdin.buffer.raw.read(4096)
                    if not data:
                        return
                    *lines, typed = (typed + data).split(b"\n")
                    for line in filter(None, lines):
                        self.order(line)
                elif key.fileobj in self.connections:
                    self.read(key.fileobj)
            for sock, connection in list(self.connections.items()):
                if time.monotonic() - connection.last_rx >= IDLE_SECONDS:
                    self.drop(sock)


def sub_device(text):
    cid, _, dps = text.partition("=")
    return cid, json.loads(dps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", choices=("3.1", "3.2", "3.3", "3.4", "3.5"), required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--key", required=True, help="16 characters; a test key")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dps", type=json.loads, default={"1": False, "2": 50, "18": 0})
    parser.add_argument("--device22", action="store_true", help="refuse ordinary queries")
    parser.add_argument(
        "--zero-key",
        action="store_true",
        help="make the first negotiation of each connection give a key that starts with zero",
    )
    parser.add_argument("--sub", action="append", default=[], metavar="CID=JSON", type=sub_device)
    args = parser.parse_args()
    if len(args.key.encode("latin1")) != 16:
        parser.error("the key must have 16 characters")
    Device(args, dict(args.sub)).run()


if __name__ == "__main__":
    main()
