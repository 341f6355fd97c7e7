"""An automation and its test, without hardware: run it, or give it to pytest."""

import rustuya
from rustuya.testing import VirtualDevice


def too_warm(thermostat: rustuya.Device, limit: int) -> bool:
    """The automation: turns the heating off above a limit."""
    temperature = thermostat.query()["2"]
    if isinstance(temperature, int) and temperature > limit:
        thermostat.set_value(1, False, wait="ack")
        return True
    return False


def test_heating_is_turned_off() -> None:
    with VirtualDevice(version="3.5", dps={"1": True, "2": 19}) as room, room.device() as thermostat:
        assert not too_warm(thermostat, 21)
        room.set_dps({"2": 23})
        assert too_warm(thermostat, 21)
        assert room.dps()["1"] is False


if __name__ == "__main__":
    test_heating_is_turned_off()
    print("passed")
