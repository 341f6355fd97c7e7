"""Products for tests of entities: mappings as a `devices.json` has them, and a house that is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rustuya.testing import VirtualDevice


def number(code: str, low: int, high: int, scale: int = 0, step: int = 1, unit: str = "") -> dict[str, Any]:
    values = {"min": low, "max": high, "scale": scale, "step": step, "unit": unit}
    return {"code": code, "type": "Integer", "values": values}


def words(code: str, *options: str) -> dict[str, Any]:
    return {"code": code, "type": "Enum", "values": {"range": list(options)}}


def flag(code: str) -> dict[str, Any]:
    return {"code": code, "type": "Boolean", "values": {}}


LIGHT: dict[str, Any] = {
    "20": flag("switch_led"),
    "21": words("work_mode", "white", "colour", "scene", "music"),
    "22": number("bright_value_v2", 10, 1000),
    "23": number("temp_value_v2", 0, 1000),
    "24": {"code": "colour_data_v2", "type": "Json", "values": {}},
}
LIGHT_DPS = {"20": False, "21": "white", "22": 10, "23": 0, "24": "000003e803e8"}
OLD_LIGHT: dict[str, Any] = {
    "1": flag("switch_led"),
    "2": words("work_mode", "white", "colour", "scene"),
    "3": number("bright_value", 25, 255),
    "4": number("temp_value", 0, 255),
    "5": {"code": "colour_data", "type": "Json", "values": {}},
}
PLUG = {
    "1": flag("switch_1"),
    "9": number("countdown_1", 0, 86400, unit="s"),
    "18": number("cur_current", 0, 30000, unit="mA"),
    "19": number("cur_power", 0, 80000, scale=1, unit="W"),
    "20": number("cur_voltage", 0, 5000, scale=1, unit="V"),
}
THERMOSTAT = {
    "1": flag("switch"),
    "2": words("mode", "hot", "cold", "auto", "eco"),
    "16": number("temp_set", 50, 350, scale=1, step=5, unit="℃"),
    "24": number("temp_current", -200, 600, scale=1, unit="℃"),
}
CURTAIN = {
    "1": words("control", "open", "stop", "close"),
    "2": number("percent_control", 0, 100, unit="%"),
    "3": number("percent_state", 0, 100, unit="%"),
}
SENSOR = {
    "1": number("va_temperature", -200, 600, scale=1, unit="℃"),
    "2": number("va_humidity", 0, 100, unit="%"),
}
PRODUCTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Desk lamp": ("dj", LIGHT, LIGHT_DPS),
    "Plug": ("cz", PLUG, {"1": True, "9": 0, "18": 250, "19": 605, "20": 2301}),
    "Thermostat": ("wk", THERMOSTAT, {"1": True, "2": "hot", "16": 200, "24": 215}),
    "Curtain": ("cl", CURTAIN, {"1": "stop", "2": 0, "3": 0}),
    "Gateway": ("wg2", {"1": flag("switch_alarm_sound")}, {"1": False}),
}


def write_house(virtual_device: Callable[..., VirtualDevice], path: Path) -> dict[str, VirtualDevice]:
    """Starts a device of each product, and writes the file that lists them. Returns the devices by name."""
    devices: dict[str, VirtualDevice] = {}
    listed: list[dict[str, Any]] = []
    for name, (category, mapping, dps) in PRODUCTS.items():
        subs = {"c1": {"1": 215, "2": 55}} if name == "Gateway" else None
        device = devices[name] = virtual_device(name.lower().replace(" ", "-"), dps=dps, subs=subs)
        entry = {"id": device.id, "name": name, "key": device.local_key, "ip": device.ip, "port": device.port}
        listed.append({**entry, "version": device.version, "category": category, "mapping": mapping})
    child = {"id": "cellar", "name": "Cellar", "sub": True, "parent": devices["Gateway"].id, "node_id": "c1"}
    listed.append({**child, "category": "wsdcg", "mapping": SENSOR})
    path.write_text(json.dumps(listed), encoding="utf-8")
    return devices
