#!/usr/bin/env python3
"""Regenerate tinytuya.json with the tinytuya package, or compare with it.

    python regenerate.py           write tinytuya.json
    python regenerate.py --check   exit 1 and list every difference

Needs the pinned tinytuya (`pip install -r requirements.txt`). Every frame comes out of tinytuya's own
functions; this script pins the clock, the nonces and the IVs, chooses what is said, and decodes
each result again with tinytuya before accepting it.
"""

import argparse
import base64
import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path

import tinytuya
from tinytuya.core import command_types as CT
from tinytuya.core import header as H
from tinytuya.core.message_helper import MessagePayload, TuyaMessage, pack_message, unpack_message
from tinytuya.core.udp_helper import decrypt_udp, encrypt, udpkey

from framing import (
    CLOCK,
    ID,
    ID_31,
    KEY,
    Group,
    Recorder,
    compact,
    pins,
    report_header,
    zero_header,
)

PINNED = (Path(__file__).resolve().parent / "requirements.txt").read_text().split()[0].split("==")[1]
ODD_KEY = b"x'$]a{7~&Z<q#9!?"
CLIENT_NONCE = b"ClientNonce-0001"
DEVICE_NONCE = b"8655251406c6abcd"
CID = "a4c1380123456789"
PRODUCT = "keydeadbeef12345"
CLEAR_ANNOUNCEMENT = 0


class Maker:
    def __init__(self):
        self.vectors = []

    def handshake(self, label, version, key, client_nonce, device_nonce, seqno, note=None):
        """START, RESP, FINISH; returns the session key that tinytuya derives."""
        group = Group(self, label, version, key=key)
        client = group.client
        pins.nonce = client_nonce
        group.request("1-start", 1, client._negotiate_session_key_generate_step_1(), note)
        proof = hmac.new(key, client_nonce, hashlib.sha256).digest()
        group.force_hex = True
        frame = group.reply("2-resp", seqno, CT.SESS_KEY_NEG_RESP, device_nonce + proof)
        finish = client._negotiate_session_key_generate_step_3(unpack_message(frame, hmac_key=key))
        assert finish, "tinytuya refuses the RESP frame"
        group.request("3-finish", 2, finish)
        client._negotiate_session_key_generate_finalize()
        session = client.local_key
        last = self.vectors[-1]
        last["session_key_hex"] = session.hex()
        last["note"] = f"session key derived afterwards: {session.hex()}"
        return session

    def client_basics(self, group, seqno):
        """The requests every version has. Returns the next free sequence number."""
        client = group.client
        requests = [
            ("control", client.set_value(1, True), None),
            (
                "control-multi",
                client.set_multiple_values({"1": True, "2": 128, "5": "ff0000", "7": 0}),
                None,
            ),
            (
                "control-unicode",
                client.set_value(101, "caf\u00e9"),
                "tinytuya emits ASCII-only JSON, non-ASCII as \\uXXXX",
            ),
            ("dp-query", client.status(), None),
            ("heartbeat", client.heartbeat(), None),
            ("updatedps", client.updatedps([18, 19, 20]), None),
            ("updatedps-default", client.updatedps(), None),
            ("lan-ext-stream", client.subdev_query(), None),
        ]
        for name, message, note in requests:
            group.request(name, seqno, message, note)
            seqno += 1
        return seqno

    def device_basics(self, group, numbers, control, query, headers, status, metering, answer):
        """Acknowledgements, a push, a query reply and the UPDATEDPS pair."""
        number = iter(numbers)
        group.reply(
            "control-ack",
            next(number),
            control,
            note="empty acknowledgement; the new state follows as a STATUS push",
        )
        group.reply("status-push", next(number), CT.STATUS, status, header=headers[0])
        group.reply("dp-query-reply", next(number), query, answer)
        group.reply("heartbeat-reply", next(number), CT.HEART_BEAT)
        group.reply("updatedps-ack", next(number), CT.UPDATEDPS)
        group.reply("updatedps-push", next(number), CT.STATUS, metering, header=headers[1])

    def subdev_report(self, group, seqno):
        report = {
            "reqType": "subdev_online_stat_report",
            "data": {"online": [CID, "00124b002d8e6a68"], "offline": ["a4c1382e58833a9c"]},
        }
        group.reply("subdev-report", seqno, CT.LAN_EXT_STREAM, compact(report))

    def v31(self):
        group = Group(self, "default", "3.1")
        self.client_basics(group, 1)
        self.device_basics(
            group,
            (1, 0, 4, 0, 6, 0),
            CT.CONTROL,
            CT.DP_QUERY,
            (None, None),
            compact({"devId": ID_31, "dps": {"1": True}, "t": CLOCK, "s": 8}),
            compact({"devId": ID_31, "dps": METERING, "t": CLOCK, "s": 8}),
            compact({"devId": ID_31, "dps": {"1": True, "2": 128, "9": 0}}),
        )
        for name, text in (
            ("error-data-format", "data format error"),
            ("error-gw-id", "gw id invalid"),
        ):
            group.reply(name, 4, CT.DP_QUERY, text, retcode=1, note="clear text")
        group.reply(
            "dp-query-reply-no-retcode",
            4,
            CT.DP_QUERY,
            compact({"devId": ID_31, "dps": {"1": True, "2": 0}}),
            retcode=None,
            note="some emulators and old firmware leave the retcode out",
        )

    def v32_v33(self, version, dev_type):
        group = Group(self, dev_type, version, dev_type=dev_type)
        plain = version == "3.3"
        client = group.client
        if not plain:
            client.set_dpsUsed({"1": None})
        seqno = self.client_basics(group, 1)
        if plain:
            message = client.generate_payload(CT.CONTROL_NEW, {"1": True})
            group.request("control-new", seqno, message)
            group.request("dp-query-new", seqno + 1, client.generate_payload(CT.DP_QUERY_NEW))
            group.request(
                "heartbeat-empty", seqno + 2, MessagePayload(CT.HEART_BEAT, b""), EMPTY_NOTE
            )
        headers = (zero_header(version),) * 2
        if plain:
            headers = (report_header(version, 0xF25E), report_header(version, 0xF25F))
        self.device_basics(
            group,
            (1, 0, 4, 0, 6, 0),
            CT.CONTROL,
            CT.DP_QUERY if plain else CT.CONTROL_NEW,
            headers,
            compact({"devId": ID, "dps": {"1": True}, "t": CLOCK}),
            compact({"devId": ID, "dps": METERING, "t": CLOCK}),
            compact({"dps": {"1": True, "2": 128, "9": 0}}),
        )
        self.subdev_report(group, 8)
        group.reply("error-unvalid", 4, CT.DP_QUERY, "json obj data unvalid", retcode=1)
        group.reply(
            "error-clear-text",
            4,
            CT.DP_QUERY,
            "data format error",
            retcode=1,
            clear=True,
            note="observed: 55AA firmware may answer a payload it cannot decrypt in the clear",
        )
        if not plain:
            return
        off = compact({"devId": ID, "dps": {"1": False}, "t": CLOCK})
        group.reply("status-push-zero-header", 0, CT.STATUS, off, header=zero_header(version))
        group.reply("status-push-no-header", 0, CT.STATUS, off)
        group.reply(
            "status-push-bad-clock",
            0,
            CT.STATUS,
            compact({"devId": ID, "dps": {"18": 0}, "t": 809}),
            header=report_header(version, 0xF25E),
            note="t may be seconds since boot when the device never got the time",
        )

    def v34_v35(self, version, session):
        group = Group(self, "default", version, session=session)
        self.client_basics(group, 3)
        note = EMPTY_NOTE if version == "3.4" else None
        group.request("heartbeat-empty", 13, MessagePayload(CT.HEART_BEAT, b""), note)
        answer = {"dps": {"1": True, "2": 128, "9": 0}}
        if version == "3.5":
            answer["devId"] = ID
        self.device_basics(
            group,
            range(64826, 64832),
            CT.CONTROL_NEW,
            CT.DP_QUERY_NEW,
            (report_header(version, 0xF25E), report_header(version, 0xF25F)),
            wrapped({"dps": {"1": True}}),
            wrapped({"dps": METERING}),
            compact(answer),
        )
        self.subdev_report(group, 64832)
        group.reply("error-unvalid", 64833, CT.DP_QUERY_NEW, "json obj data unvalid", retcode=1)
        group.reply("error-parse", 64834, CT.CONTROL_NEW, "parse data error", retcode=1)
        if version == "3.4":
            group.reply(
                "status-push-type-query",
                64835,
                CT.STATUS,
                wrapped({"dps": {"18": 4310, "19": 9970}, "cid": CID, "type": "query"}),
                header=report_header(version, 0xF260),
            )
            return
        group.reply(
            "control-ack-retcode-le",
            64835,
            CT.CONTROL_NEW,
            retcode=0x01000000,
            note="current vendor SDK acks a SUCCESSFUL control with a host-order (little-endian) 1"
            " and no text",
        )
        group.reply(
            "status-push-vendor-shape",
            64836,
            CT.STATUS,
            wrapped({"dps": {"20": True}, "devId": ID}),
            header=report_header(version, 0xF261),
        )

    def large_push(self, version, session):
        blob = base64.b64encode(bytes((37 * i + 11) & 0xFF for i in range(960))).decode()
        if version == "3.3":
            text = compact({"devId": ID, "dps": {"202": blob}, "t": CLOCK})
        else:
            text = wrapped({"dps": {"202": blob}})
        Group(self, "default", version, session=session).reply(
            "status-push-large",
            0 if version == "3.3" else 8192,
            CT.STATUS,
            text,
            header=report_header(version, 0xF267),
        )

    def odd_key_control(self, version):
        group = Group(self, "default", version, key=ODD_KEY)
        group.request("control-odd-key", 7, group.client.set_value(1, False))

    def device22(self, version, session):
        group = Group(self, "device22", version, dev_type="device22", session=session)
        client = group.client
        client.set_dpsUsed({"1": None, "2": None, "20": None, "101": None})
        group.request("dp-query", 5, client.status())
        group.request("control", 6, client.set_value(1, True))
        reply, push = (5, 0) if version == "3.3" else (337, 338)
        group.reply(
            "dp-query-reply",
            reply,
            CT.CONTROL_NEW,
            note="device22 firmware commonly acks the query empty and pushes the state",
        )
        text = wrapped({"dps": {"1": True, "2": 10}})
        if version == "3.3":
            text = compact({"devId": ID, "dps": {"1": True, "2": 10}, "t": CLOCK})
        group.reply("dp-query-push", push, CT.STATUS, text, header=report_header(version, 0xF25E))
        if version == "3.3":
            group.reply(
                "error-unvalid",
                4,
                CT.DP_QUERY,
                "json obj data unvalid",
                retcode=1,
                note="reply to the default-dialect query that triggers the switch",
            )

    def subdevice(self, version, session):
        group = Group(self, "subdevice", version, session=session)
        child = Recorder("child0123456789abcdef", cid=CID, parent=group.client)
        for seqno, name, message in (
            (10, "control", child.set_value(1, True)),
            (11, "dp-query", child.status()),
            (12, "updatedps", child.updatedps([18, 19, 20])),
        ):
            group.request(name, seqno, message)
        legacy = version == "3.3"
        ack, push, answer = (10, 0, 11) if legacy else (768, 769, 770)
        group.reply("control-ack", ack, CT.CONTROL if legacy else CT.CONTROL_NEW)
        text = wrapped({"dps": {"1": True}, "cid": CID})
        if legacy:
            text = compact({"dps": {"1": True}, "cid": CID, "t": CLOCK})
        group.reply("status-push", push, CT.STATUS, text, header=report_header(version, 0xF25E))
        group.reply(
            "dp-query-reply",
            answer,
            CT.DP_QUERY if legacy else CT.DP_QUERY_NEW,
            compact({"dps": {"1": True, "9": 0}, "cid": CID}),
        )

    def datagram(self, name, version, port, frame, cmd, retcode, text, key, note, direction):
        """Record a datagram after checking that tinytuya's own decoder reads it."""
        assert decrypt_udp(frame) == text, name
        self.vectors.append(
            {
                "name": f"udp{port}/v{version}/{name}",
                "version": version,
                "dev_type": "default",
                "direction": direction,
                "transport": "udp",
                "udp_port": port,
                "local_key_hex": udpkey.hex() if key == "udp" else None,
                "session_key_hex": None,
                "key_used": key,
                "seqno": None if cmd is None else 0,
                "cmd": cmd,
                "retcode": retcode,
                "iv_hex": frame[18:30].hex() if frame[:4] == H.PREFIX_6699_BIN else None,
                "header_hex": None,
                "payload": text,
                "payload_encoding": "text",
                "frame_hex": frame.hex(),
                "note": note,
            }
        )

    def udp_55aa(self, name, version, port, text, cmd=CT.UDP_NEW, note=None):
        clear = port == 6666
        body = text.encode() if clear else encrypt(text.encode(), udpkey)
        code = struct.pack(H.MESSAGE_RETCODE_FMT, 0)
        message = TuyaMessage(0, cmd, 0, code + body, 0, True, H.PREFIX_55AA_VALUE, False)
        key = "none" if clear else "udp"
        frame = pack_message(message)
        self.datagram(name, version, port, frame, cmd, 0, text, key, note, "device")

    def udp_6699(self, name, port, text, cmd=CT.UDP_NEW, retcode=0, padding=b"", note=None):
        body = text.encode() + padding
        message = TuyaMessage(0, cmd, retcode, body, 0, True, H.PREFIX_6699_VALUE, True)
        frame = pack_message(message, hmac_key=udpkey)
        direction = "client" if cmd == CT.REQ_DEVINFO else "device"
        self.datagram(name, "3.5", port, frame, cmd, retcode, text, "udp", note, direction)

    def announcements(self):
        head = {"ip": "192.0.2.10", "gwId": ID, "active": 2}
        tail = {"encrypt": True, "productKey": PRODUCT}
        setup = {"token": True, "wf_cfg": True}

        def modern(version, extra):
            return compact({**head, "ablilty": 0, **tail, "version": version, **extra})

        old = {**head, "gwId": ID_31, "ability": 0, "mode": 0, **tail, "version": "3.1"}
        self.udp_55aa("announce", "3.1", 6666, compact(old), cmd=CLEAR_ANNOUNCEMENT)
        self.udp_55aa("announce", "3.2", 6667, modern("3.2", {}))
        self.udp_55aa("announce", "3.3", 6667, modern("3.3", setup))
        text = modern("3.3", setup)
        self.datagram(
            "announce-unframed",
            "3.3",
            6667,
            encrypt(text.encode(), udpkey),
            None,
            None,
            text,
            "udp",
            "bare AES-ECB blob with no frame around it; tinytuya accepts it",
            "device",
        )
        self.udp_55aa("announce", "3.4", 6667, modern("3.4", setup))
        self.udp_55aa(
            "announce-lpv34",
            "3.4",
            6667,
            modern("3.4", setup),
            cmd=CT.BOARDCAST_LPV34,
            note="command 0x23 is reserved for 3.4 broadcasts; CRC32 footer, not HMAC",
        )
        self.udp_6699("announce", 6667, modern("3.5", setup))
        self.udp_6699(
            "announce-no-retcode",
            6667,
            modern("3.5", setup),
            retcode=None,
            note="accept announcements without the four retcode bytes too",
        )
        request = {"from": "app", "ip": "192.0.2.77"}
        for name, text, padding, note in (
            (
                "app-request",
                json.dumps(request),
                b"",
                "tinytuya's own spelling: a space after each colon and comma",
            ),
            ("app-request-compact", compact(request), b"", None),
            (
                "app-request-nul-padded",
                compact(request),
                bytes(3),
                "the phone app may append NUL bytes inside the plaintext; strip them",
            ),
        ):
            self.udp_6699(name, 7000, text, CT.REQ_DEVINFO, None, padding, note)
        answer = {
            "ip": "192.0.2.10",
            "gwId": ID,
            "uuid": "7911568737eccebf",
            "active": 2,
            "ablilty": 0,
            **tail,
            "version": "3.5",
            **setup,
            "sl": 0,
            "clientLink": 3,
        }
        self.udp_6699(
            "reply",
            7000,
            compact(answer),
            note="unicast to port 7000 of the address named in the request",
        )

    def all(self):
        session = {"3.3": None}
        for version in ("3.4", "3.5"):
            session[version] = self.handshake(
                "handshake", version, KEY, CLIENT_NONCE, DEVICE_NONCE, 0xFD39
            )
            self.handshake("handshake-odd-key", version, ODD_KEY, CLIENT_NONCE, DEVICE_NONCE, 6699)
        for version, client_nonce, device_nonce in (
            ("3.4", b"ZeroKey-00000218", b"d31bc964dd3127f6"),
            ("3.5", b"ZeroKey-00170018", b"7c1c50fefb2b241b"),
        ):
            key = self.handshake(
                "handshake-zero-first-byte",
                version,
                KEY,
                client_nonce,
                device_nonce,
                0x42,
                "derived key starts with 0x00: a client must restart the negotiation,"
                " see the key-zero rule",
            )
            assert key[0] == 0, key
        self.v31()
        self.v32_v33("3.2", "device22")
        self.v32_v33("3.3", "default")
        self.v34_v35("3.4", session["3.4"])
        self.v34_v35("3.5", session["3.5"])
        for version in ("3.3", "3.4", "3.5"):
            self.large_push(version, session[version])
        self.odd_key_control("3.1")
        self.odd_key_control("3.3")
        for version in ("3.3", "3.4", "3.5"):
            self.device22(version, session[version])
        for version in ("3.3", "3.4", "3.5"):
            self.subdevice(version, session[version])
        self.announcements()
        return self.vectors


METERING = {"18": 0, "19": 0, "20": 2310}
EMPTY_NOTE = "zero-length plaintext becomes one full padding block"


def wrapped(data):
    return compact({"protocol": 4, "t": CLOCK, "data": data})


def differences(wanted, found):
    """One line per difference between the committed vectors and the generated ones."""
    lines = []
    old = {vector["name"]: vector for vector in wanted}
    new = {vector["name"]: vector for vector in found}
    lines += [f"{name}: not generated" for name in old if name not in new]
    lines += [f"{name}: not in the committed file" for name in new if name not in old]
    for name in old:
        for field in old[name] if name in new else ():
            if old[name][field] != new[name].get(field):
                lines.append(
                    f"{name}: {field}\n  committed {old[name][field]!r}"
                    f"\n  generated {new[name].get(field)!r}"
                )
    if not lines and list(old) != list(new):
        lines.append("the order of the vectors differs")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    parser.add_argument(
        "--file", type=Path, default=Path(__file__).resolve().parent / "tinytuya.json"
    )
    args = parser.parse_args()
    if tinytuya.__version__ != PINNED:
        sys.exit(
            f"tinytuya {tinytuya.__version__} is installed; run: pip install tinytuya=={PINNED}"
        )
    pins.install()
    vectors = Maker().all()
    text = json.dumps(vectors, indent=1) + "\n"
    if not args.check:
        args.file.write_text(text, encoding="utf-8")
        print(f"{len(vectors)} vectors written")
        return
    committed = args.file.read_bytes().decode("utf-8")
    lines = differences(json.loads(committed), vectors)
    if not lines and committed != text:
        lines.append("the vectors are equal, but the file is laid out differently")
    if lines:
        print("\n".join(lines))
        sys.exit(f"{len(lines)} differences from {args.file.name}")
    print(f"{len(vectors)} vectors are byte-identical")


if __name__ == "__main__":
    main()
