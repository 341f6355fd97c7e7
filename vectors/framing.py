"""Frames as tinytuya builds them: pinned inputs, recorded commands, device replies."""

import json
import struct
import sys
from types import SimpleNamespace

import tinytuya
from tinytuya.core import command_types as CT
from tinytuya.core import crypto_helper
from tinytuya.core import header as H
from tinytuya.core.crypto_helper import AESCipher
from tinytuya.core.message_helper import MessagePayload, TuyaMessage, pack_message, unpack_message

# `tinytuya.core.XenonDevice` names both a module and the class in it; the attribute is the class.
xenon = sys.modules["tinytuya.core.XenonDevice"]

CLOCK = 1700000000
KEY = b"0123456789abcdef"
ID_31 = "01234567891234567890"
ID = "eb0123456789abcdefghij"
ENVELOPE_31_LEN = 19
HEADER_LEN = 15


class Pins:
    """The clock, nonces and IVs that tinytuya sees in place of the system's."""

    def __init__(self):
        self.count = 0
        self.nonce = None

    def next_iv(self, length):
        assert length == 12, length
        self.count += 1
        return b"%012x" % self.count

    def next_nonce(self, length):
        assert self.nonce is not None and length == len(self.nonce), length
        return self.nonce

    def install(self):
        crypto_helper.os = SimpleNamespace(urandom=self.next_iv)
        xenon.os = SimpleNamespace(urandom=self.next_nonce)
        xenon.time = SimpleNamespace(time=lambda: CLOCK, sleep=lambda _: None)


class Recorder(tinytuya.Device):
    """A tinytuya client whose commands are returned instead of being sent."""

    def _send_receive(self, payload, *args, **kwargs):
        return payload


def report_header(version, counter):
    """A version header as devices fill it: CRC 0, report counter, source 1."""
    return version.encode() + struct.pack(">III", 0, counter, 1)


def zero_header(version):
    return version.encode() + H.PROTOCOL_3x_HEADER


def compact(value):
    return json.dumps(value, separators=(",", ":"))


class Group:
    """Vectors that share version, dialect, keys and the device id."""

    def __init__(self, maker, label, version, dev_type="default", key=KEY, session=None):
        self.maker = maker
        self.prefix = f"v{version}/{label}"
        self.version = version
        self.dev_type = dev_type
        self.key = key
        self.session = session
        self.force_hex = False  # payloads are text unless a vector says otherwise
        self.id = ID_31 if version == "3.1" else ID
        self.client = Recorder(
            self.id,
            address="127.0.0.1",
            local_key=key.decode("latin1"),
            dev_type=dev_type,
            version=float(version),
        )
        if session is not None:
            self.client.local_key = session

    @property
    def framing_key(self):
        return self.session if self.session is not None else self.key

    def record(self, name, direction, key_used, frame, seqno, cmd, retcode, header, payload, note):
        iv = frame[18:30].hex() if frame[:4] == H.PREFIX_6699_BIN else None
        text, encoding = payload.hex(), "hex"
        if not self.force_hex:
            text, encoding = payload.decode("ascii"), "text"
        self.maker.vectors.append(
            {
                "name": f"{self.prefix}/{name}",
                "version": self.version,
                "dev_type": self.dev_type,
                "direction": direction,
                "transport": "tcp",
                "udp_port": None,
                "local_key_hex": self.key.hex(),
                "session_key_hex": None if self.session is None else self.session.hex(),
                "key_used": key_used,
                "seqno": seqno,
                "cmd": cmd,
                "retcode": retcode,
                "iv_hex": iv,
                "header_hex": None if header is None else header.hex(),
                "payload": text,
                "payload_encoding": encoding,
                "frame_hex": frame.hex(),
                "note": note,
            }
        )

    def key_name(self, cmd, encrypted):
        if not encrypted:
            return "none"
        if cmd in (CT.SESS_KEY_NEG_START, CT.SESS_KEY_NEG_RESP, CT.SESS_KEY_NEG_FINISH):
            return "local"
        return "local" if self.session is None else "session"

    def request(self, name, seqno, message, note=None, sender=None):
        """Frame a client message with tinytuya's own encoder."""
        sender = sender or self.client
        sender.seqno = seqno
        frame = sender._encode_message(message)
        encrypted = self.version != "3.1" or message.cmd == CT.CONTROL
        header = None
        if self.version != "3.1" and message.cmd not in H.NO_PROTOCOL_HEADER_CMDS:
            header = sender.version_header
        self.decode(frame, "client", message.cmd, None, message.payload, encrypted)
        self.record(
            name,
            "client",
            self.key_name(message.cmd, encrypted),
            frame,
            seqno,
            message.cmd,
            None,
            header,
            message.payload,
            note,
        )
        return frame

    def reply(self, name, seqno, cmd, text=b"", retcode=0, header=None, clear=False, note=None):
        """Frame a device message. `retcode` None leaves the return code out."""
        payload = text.encode() if isinstance(text, str) else text
        encrypted = bool(payload) and not clear
        if self.version in ("3.4", "3.5"):
            encrypted = True
        elif self.version == "3.1":
            encrypted = cmd == CT.STATUS
        frame = self.frame_reply(seqno, cmd, payload, retcode, header, encrypted)
        self.decode(frame, "device", cmd, retcode, payload, encrypted)
        self.record(
            name,
            "device",
            self.key_name(cmd, encrypted),
            frame,
            seqno,
            cmd,
            retcode,
            header,
            payload,
            note,
        )
        return frame

    def frame_reply(self, seqno, cmd, payload, retcode, header, encrypted):
        key = self.key if cmd == CT.SESS_KEY_NEG_RESP else self.framing_key
        head = header or b""
        if self.version == "3.5":
            message = TuyaMessage(
                seqno, cmd, retcode, head + payload, 0, True, H.PREFIX_6699_VALUE, True
            )
            return pack_message(message, hmac_key=key)
        if self.version == "3.1":
            body = self.envelope(payload) if encrypted else payload
        elif self.version == "3.4":
            plain = head + payload
            body = AESCipher(key).encrypt(plain, use_base64=False) if plain else b""
        else:
            body = AESCipher(key).encrypt(payload, use_base64=False) if encrypted else payload
            body = head + body
        code = b"" if retcode is None else struct.pack(H.MESSAGE_RETCODE_FMT, retcode)
        message = TuyaMessage(seqno, cmd, 0, code + body, 0, True, H.PREFIX_55AA_VALUE, False)
        return pack_message(message, hmac_key=key if self.version == "3.4" else None)

    def envelope(self, payload):
        """The 3.1 envelope, cut out of the control frame that tinytuya builds around it."""
        frame = self.client._encode_message(MessagePayload(CT.CONTROL, payload))
        return unpack_message(frame, no_retcode=True).payload

    def decode(self, frame, direction, cmd, retcode, payload, encrypted):
        """Take the frame apart with tinytuya and insist on what went in."""
        key = self.framing_key
        if cmd in (CT.SESS_KEY_NEG_START, CT.SESS_KEY_NEG_RESP, CT.SESS_KEY_NEG_FINISH):
            key = self.key
        message = unpack_message(
            frame,
            hmac_key=key if self.version in ("3.4", "3.5") else None,
            no_retcode=retcode is None,
        )
        assert message.crc_good and message.cmd == cmd, (self.prefix, cmd, message)
        if retcode is not None:
            assert message.retcode == retcode, (self.prefix, message)
        body = message.payload
        cipher = AESCipher(key)
        if self.version == "3.4" and body:
            body = cipher.decrypt(body, use_base64=False, decode_text=False, verify_padding=True)
        if self.version == "3.1" and encrypted:
            assert body.startswith(H.PROTOCOL_VERSION_BYTES_31), body
            body = cipher.decrypt(body[ENVELOPE_31_LEN:], decode_text=False, verify_padding=True)
        elif self.version != "3.1" and body.startswith(self.version.encode()):
            body = body[HEADER_LEN:]
        if self.version in ("3.2", "3.3") and encrypted:
            body = cipher.decrypt(body, use_base64=False, decode_text=False, verify_padding=True)
        assert body == payload, (self.prefix, direction, body, payload)


pins = Pins()
