"""Asks every device of tinytuya's devices.json for its state: manager.py FILE"""

import json
import sys
from pathlib import Path

from rustuya import Manager, TuyaError

with Manager() as manager:
    for entry in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        address = entry.get("ip") or "Auto"
        version = entry.get("version") or "Auto"
        manager.add(entry["id"], address, entry["key"], version, port=entry.get("port"))
    for device in manager.devices():
        try:
            print(device.id, device.query(timeout=10))
        except TuyaError as error:
            print(device.id, error)
    for info in manager.list():
        print(info.id, info.address, info.version, info.diagnosis or "fine")
