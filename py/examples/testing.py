"""An automation and its tests without hardware; run it with pytest."""

from collections.abc import Callable

import pytest
import rustuya
from rustuya.testing import VirtualDevice


def too_warm(thermostat: rustuya.Device, limit: int, patience: float = 5.0) -> bool:
    """The automation: turns the heating (DP 1) off above a limit of the temperature (DP 2)."""
    temperature = thermostat.query(timeout=patience)["2"]
    if isinstance(temperature, int) and temperature > limit:
        thermostat.set_value(1, False, wait="ack")
        return True
    return False


# A virtual device is a context manager.
def test_heating_is_turned_off() -> None:
    with VirtualDevice(version="3.5", dps={"1": True, "2": 19}) as room, room.device() as thermostat:
        assert not too_warm(thermostat, 21)
        # Simulates a warmer room: the device measures and pushes.
        room.set_dps({"2": 23})
        assert too_warm(thermostat, 21)
        assert room.dps()["1"] is False


# The fixture `virtual_device` comes with the package; its devices end with the test.
def test_a_device_without_power_is_an_error(virtual_device: Callable[..., VirtualDevice]) -> None:
    room = virtual_device(dps={"1": True, "2": 23})
    with room.device() as thermostat:
        thermostat.wait_connected()
        room.unplug()
        with pytest.raises(rustuya.TuyaError):
            too_warm(thermostat, 21, patience=0.2)
        assert room.dps()["1"] is True
