"""Entities of devices: lights, switches, covers, climates, sensors and others, with names, units and verbs.

``device.light()``, ``device.entity("switch_1")``, ``device.entities()`` and ``device.changes()`` return them.
:mod:`rustuya.entities.aio` has the same classes for asyncio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _views
from .records import (
    AlarmCapabilities,
    AlarmState,
    Capabilities,
    Change,
    ClimateCapabilities,
    ClimateState,
    CoverCapabilities,
    CoverState,
    EntityState,
    EventCapabilities,
    EventState,
    FanCapabilities,
    FanState,
    HumidifierCapabilities,
    HumidifierState,
    LightCapabilities,
    LightState,
    LockState,
    NumberCapabilities,
    OptionCapabilities,
    Setting,
    SirenCapabilities,
    SirenState,
    TextCapabilities,
    VacuumCapabilities,
    VacuumState,
    Value,
    ValveState,
)

if TYPE_CHECKING:
    from .. import _native
    from ..models import Reply
    from ..typing import Wait

__all__ = [
    "Alarm",
    "AlarmCapabilities",
    "AlarmState",
    "BinarySensor",
    "Button",
    "Capabilities",
    "Change",
    "Climate",
    "ClimateCapabilities",
    "ClimateState",
    "Cover",
    "CoverCapabilities",
    "CoverState",
    "Entity",
    "EntityState",
    "EventCapabilities",
    "EventSource",
    "EventState",
    "Fan",
    "FanCapabilities",
    "FanState",
    "Humidifier",
    "HumidifierCapabilities",
    "HumidifierState",
    "Light",
    "LightCapabilities",
    "LightState",
    "Lock",
    "LockState",
    "Number",
    "NumberCapabilities",
    "OptionCapabilities",
    "Select",
    "Sensor",
    "Setting",
    "Siren",
    "SirenCapabilities",
    "SirenState",
    "Switch",
    "Text",
    "TextCapabilities",
    "Vacuum",
    "VacuumCapabilities",
    "VacuumState",
    "Value",
    "Valve",
    "ValveState",
]


class Entity(_views.EntityView):
    """A part of a device that a user names, such as a light, a switch or a sensor."""

    def _write(self, wait: Wait | None, timeout: float | None, /, **parts: object) -> Reply | None:
        return self._handle.write(parts, wait, timeout)

    def set(
        self,
        value: Setting | None = None,
        /,
        *,
        wait: Wait | None = None,
        timeout: float | None = None,
        **parts: Setting | None,
    ) -> Reply | None:
        """Sets things by their names, which `settings` lists, in one command, as in
        `entity.set(brightness="50%", color="red")`.

        Args:
            value: the main thing, such as the number of a number, the option of a select, "on" and "off" of a switch.
            parts: other things, by name. None stands for one that is not given.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, **{"": value, **parts})


class Alarm(Entity, _views.AlarmView):
    """A host of an alarm system."""

    def disarm(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it off.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, mode="disarm")

    def arm_home(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches on the part of it that watches the house while somebody is at home.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, mode="arm_home")

    def arm_away(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on as a whole.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, mode="arm_away")

    def trigger(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Triggers the alarm by hand.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, mode="trigger")


class BinarySensor(Entity, _views.BinarySensorView):
    """Something that is on or off and only reported."""


class Button(Entity, _views.ButtonView):
    """Something that is pressed."""

    def press(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Presses it.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, press="")


class Climate(Entity, _views.ClimateView):
    """A thermostat, an air conditioner, a heater."""

    @property
    def mode(self) -> str | None:
        """Mode: "off", "heat", "cool", "heat_cool", "auto", "dry" or "fan_only". Setting it is `set`."""
        return super().mode

    @mode.setter
    def mode(self, value: str) -> None:
        self.set(mode=value)

    @property
    def target_temperature(self) -> float | None:
        """Temperature that is asked for. Setting it is `set`."""
        return super().target_temperature

    @target_temperature.setter
    def target_temperature(self, value: Setting) -> None:
        self.set(temperature=value)

    @property
    def target_humidity(self) -> float | None:
        """Humidity that is asked for, in percent. Setting it is `set`."""
        return super().target_humidity

    @target_humidity.setter
    def target_humidity(self, value: Setting) -> None:
        self.set(humidity=value)

    @property
    def preset(self) -> str | None:
        """Preset, such as "eco". Setting it is `set`."""
        return super().preset

    @preset.setter
    def preset(self, value: str) -> None:
        self.set(preset=value)

    @property
    def fan_mode(self) -> str | None:
        """Fan mode. Setting it is `set`."""
        return super().fan_mode

    @fan_mode.setter
    def fan_mode(self, value: str) -> None:
        self.set(fan_mode=value)

    @property
    def swing_mode(self) -> str | None:
        """Swing. Setting it is `set`."""
        return super().swing_mode

    @swing_mode.setter
    def swing_mode(self, value: str) -> None:
        self.set(swing_mode=value)

    def set(
        self,
        value: Setting | None = None,
        /,
        *,
        temperature: Setting | None = None,
        temperature_low: Setting | None = None,
        temperature_high: Setting | None = None,
        humidity: Setting | None = None,
        mode: Setting | None = None,
        preset: Setting | None = None,
        fan_mode: Setting | None = None,
        swing_mode: Setting | None = None,
        swing_horizontal_mode: Setting | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
        **parts: Setting | None,
    ) -> Reply | None:
        """Sets several things in one command.

        Args:
            value: the main thing, the first one of `settings`.
            temperature: the temperature, in the unit of the state.
            temperature_low: lower end of a range of temperatures.
            temperature_high: upper end of a range of temperatures.
            humidity: the humidity in percent.
            mode: "off", "heat", "cool", "heat_cool", "auto", "dry" or "fan_only". Every mode but "off" switches it on.
            preset: the preset.
            fan_mode: the fan mode.
            swing_mode: the swing.
            swing_horizontal_mode: the swing from side to side.
            parts: other things, by name.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(
            wait,
            timeout,
            **{
                "": value,
                "temperature": temperature,
                "temperature_low": temperature_low,
                "temperature_high": temperature_high,
                "humidity": humidity,
                "mode": mode,
                "preset": preset,
                "fan_mode": fan_mode,
                "swing_mode": swing_mode,
                "swing_horizontal_mode": swing_horizontal_mode,
                **parts,
            },
        )

    def turn_on(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on, in its last mode.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="on")

    def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it off.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="off")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on if it is off, and off if it is on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="toggle")


class Cover(Entity, _views.CoverView):
    """A curtain, a blind, a garage door. Positions are in percent; 100 is open."""

    @property
    def position(self) -> int | None:
        """Position in percent; 100 is open. Setting it is `set_position`."""
        return super().position

    @position.setter
    def position(self, value: float | str) -> None:
        self.set_position(value)

    @property
    def tilt(self) -> int | None:
        """Tilt in percent. Setting it is `set_tilt`."""
        return super().tilt

    @tilt.setter
    def tilt(self, value: float | str) -> None:
        self.set_tilt(value)

    def open(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Opens it.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="open")

    def close(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Closes it.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="close")

    def stop(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Stops it.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="stop")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Opens it if it is closed, and closes it if it is open.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="toggle")

    def set_position(
        self,
        position: float | str,
        *,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Moves it to a position.

        Args:
            position: the position in percent; 100 is open.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, position=position)

    def set_tilt(
        self,
        tilt: float | str,
        *,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Tilts it.

        Args:
            tilt: the tilt in percent.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, tilt=tilt)


class EventSource(Entity, _views.EventSourceView):
    """A source of events, such as a button of a remote control."""


class Fan(Entity, _views.FanView):
    """A fan, or the fan of a device."""

    @property
    def is_on(self) -> bool | None:
        """True if it is on. Setting it is `turn_on` or `turn_off`."""
        return super().is_on

    @is_on.setter
    def is_on(self, value: bool) -> None:
        if value:
            self.turn_on()
        else:
            self.turn_off()

    @property
    def percentage(self) -> int | None:
        """Speed in percent, 1 to 100. Setting it is `set`."""
        return super().percentage

    @percentage.setter
    def percentage(self, value: float | str) -> None:
        self.set(percentage=value)

    @property
    def preset(self) -> str | None:
        """Preset. Setting it is `set`."""
        return super().preset

    @preset.setter
    def preset(self, value: str) -> None:
        self.set(preset=value)

    @property
    def is_oscillating(self) -> bool | None:
        """True if it oscillates. Setting it is `set`."""
        return super().is_oscillating

    @is_oscillating.setter
    def is_oscillating(self, value: bool) -> None:
        self.set(oscillate=value)

    @property
    def direction(self) -> str | None:
        """ "forward" or "reverse". Setting it is `set`."""
        return super().direction

    @direction.setter
    def direction(self, value: str) -> None:
        self.set(direction=value)

    def turn_on(
        self,
        *,
        percentage: float | str | None = None,
        preset: str | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Switches it on.

        Args:
            percentage: the speed in percent.
            preset: the preset.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="on", percentage=percentage, preset=preset)

    def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it off.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="off")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on if it is off, and off if it is on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="toggle")

    def set(
        self,
        value: Setting | None = None,
        /,
        *,
        percentage: Setting | None = None,
        preset: Setting | None = None,
        oscillate: Setting | None = None,
        direction: Setting | None = None,
        power: Setting | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
        **parts: Setting | None,
    ) -> Reply | None:
        """Sets several things in one command.

        Args:
            value: the main thing, the first one of `settings`.
            percentage: the speed in percent; 0 switches it off.
            preset: the preset.
            oscillate: whether it oscillates.
            direction: "forward" or "reverse".
            power: "on", "off" or "toggle".
            parts: other things, by name.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(
            wait,
            timeout,
            **{
                "": value,
                "percentage": percentage,
                "preset": preset,
                "oscillate": oscillate,
                "direction": direction,
                "power": power,
                **parts,
            },
        )


class Humidifier(Entity, _views.HumidifierView):
    """A humidifier or dehumidifier."""

    @property
    def is_on(self) -> bool | None:
        """True if it is on. Setting it is `turn_on` or `turn_off`."""
        return super().is_on

    @is_on.setter
    def is_on(self, value: bool) -> None:
        if value:
            self.turn_on()
        else:
            self.turn_off()

    @property
    def target_humidity(self) -> float | None:
        """Humidity that is asked for, in percent. Setting it is `set`."""
        return super().target_humidity

    @target_humidity.setter
    def target_humidity(self, value: Setting) -> None:
        self.set(humidity=value)

    @property
    def mode(self) -> str | None:
        """Mode. Setting it is `set`."""
        return super().mode

    @mode.setter
    def mode(self, value: str) -> None:
        self.set(mode=value)

    def turn_on(
        self,
        *,
        humidity: Setting | None = None,
        mode: str | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Switches it on.

        Args:
            humidity: the humidity in percent.
            mode: the mode.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="on", humidity=humidity, mode=mode)

    def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it off.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="off")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on if it is off, and off if it is on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="toggle")

    def set(
        self,
        value: Setting | None = None,
        /,
        *,
        humidity: Setting | None = None,
        mode: Setting | None = None,
        power: Setting | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
        **parts: Setting | None,
    ) -> Reply | None:
        """Sets several things in one command.

        Args:
            value: the main thing, the first one of `settings`.
            humidity: the humidity in percent.
            mode: the mode.
            power: "on", "off" or "toggle".
            parts: other things, by name.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(
            wait,
            timeout,
            **{
                "": value,
                "humidity": humidity,
                "mode": mode,
                "power": power,
                **parts,
            },
        )


class Light(Entity, _views.LightView):
    """A light."""

    @property
    def is_on(self) -> bool | None:
        """True if it is on. Setting it is `turn_on` or `turn_off`."""
        return super().is_on

    @is_on.setter
    def is_on(self, value: bool) -> None:
        if value:
            self.turn_on()
        else:
            self.turn_off()

    @property
    def brightness(self) -> int | None:
        """Brightness as it is lit, 1 to 255. Setting it is `turn_on`."""
        return super().brightness

    @brightness.setter
    def brightness(self, value: float | str) -> None:
        self.turn_on(brightness=value)

    @property
    def color(self) -> str | None:
        """Color as "#rrggbb", also while the light is white. Setting it is `turn_on`."""
        return super().color

    @color.setter
    def color(self, value: str) -> None:
        self.turn_on(color=value)

    @property
    def hs(self) -> tuple[float, float] | None:
        """Hue in degrees and saturation in percent of that color. Setting it is `turn_on`."""
        return super().hs

    @hs.setter
    def hs(self, value: tuple[float, float]) -> None:
        self.turn_on(hs=value)

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """Red, green and blue of that color, 0 to 255. Setting it is `turn_on`."""
        return super().rgb

    @rgb.setter
    def rgb(self, value: tuple[int, int, int]) -> None:
        self.turn_on(rgb=value)

    @property
    def color_temp(self) -> int | None:
        """Color temperature in kelvin, also while the light is colored. Setting it is `turn_on`."""
        return super().color_temp

    @color_temp.setter
    def color_temp(self, value: float | str) -> None:
        self.turn_on(color_temp=value)

    @property
    def effect(self) -> str | None:
        """Effect that runs. Setting it is `turn_on`."""
        return super().effect

    @effect.setter
    def effect(self, value: str) -> None:
        self.turn_on(effect=value)

    def turn_on(
        self,
        *,
        brightness: float | str | None = None,
        hs: tuple[float, float] | None = None,
        rgb: tuple[int, int, int] | None = None,
        color: str | None = None,
        color_temp: float | str | None = None,
        white: float | str | None = None,
        effect: str | None = None,
        mode: str | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Switches it on, with brightness, color, color temperature or effect in the same command.

        Args:
            brightness: a number from 1 to 255, or percent as text, such as "50%".
            hs: hue in degrees and saturation in percent; the light keeps its brightness.
            rgb: red, green and blue, 0 to 255.
            color: a color by name, or as "#rrggbb".
            color_temp: white of this color temperature in kelvin.
            white: white of this brightness, which is given as `brightness` is.
            effect: a scene, music, or another effect.
            mode: the device's own word for its mode.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(
            wait,
            timeout,
            power="on",
            brightness=brightness,
            hs=hs,
            color=color,
            color_temp=color_temp,
            white=white,
            effect=effect,
            mode=mode,
            rgb=rgb,
        )

    def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it off.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="off")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on if it is off, and off if it is on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="toggle")


class Lock(Entity, _views.LockView):
    """A lock. It is only reported."""


class Number(Entity, _views.NumberView):
    """A number that is set."""

    @property
    def value(self) -> float | None:
        """The number in its unit. Setting it is `set`."""
        return super().value

    @value.setter
    def value(self, value: Setting) -> None:
        self.set(value)


class Select(Entity, _views.SelectView):
    """One of several words that is set."""

    @property
    def option(self) -> str | None:
        """The word. Setting it is `set`."""
        return super().option

    @option.setter
    def option(self, value: str) -> None:
        self.set(value)


class Sensor(Entity, _views.SensorView):
    """A value that is only reported."""


class Siren(Entity, _views.SirenView):
    """A siren."""

    @property
    def is_on(self) -> bool | None:
        """True if it sounds. Setting it is `turn_on` or `turn_off`."""
        return super().is_on

    @is_on.setter
    def is_on(self, value: bool) -> None:
        if value:
            self.turn_on()
        else:
            self.turn_off()

    @property
    def tone(self) -> str | None:
        """Tone. Setting it is `set`."""
        return super().tone

    @tone.setter
    def tone(self, value: str) -> None:
        self.set(tone=value)

    @property
    def volume(self) -> float | str | None:
        """Volume: a number, or a word of the device. Setting it is `set`."""
        return super().volume

    @volume.setter
    def volume(self, value: float | str) -> None:
        self.set(volume=value)

    @property
    def duration(self) -> float | None:
        """Duration, mostly in seconds. Setting it is `set`."""
        return super().duration

    @duration.setter
    def duration(self, value: Setting) -> None:
        self.set(duration=value)

    def turn_on(
        self,
        *,
        tone: str | None = None,
        volume: float | str | None = None,
        duration: Setting | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Switches it on.

        Args:
            tone: the tone.
            volume: the volume: a number, or a word of the device.
            duration: the duration, mostly in seconds.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="on", tone=tone, volume=volume, duration=duration)

    def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it off.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="off")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on if it is off, and off if it is on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="toggle")

    def set(
        self,
        value: Setting | None = None,
        /,
        *,
        tone: Setting | None = None,
        volume: Setting | None = None,
        duration: Setting | None = None,
        power: Setting | None = None,
        wait: Wait | None = None,
        timeout: float | None = None,
        **parts: Setting | None,
    ) -> Reply | None:
        """Sets several things in one command.

        Args:
            value: the main thing, the first one of `settings`.
            tone: the tone.
            volume: the volume: a number, or a word of the device.
            duration: the duration, mostly in seconds.
            power: "on", "off" or "toggle".
            parts: other things, by name.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(
            wait,
            timeout,
            **{
                "": value,
                "tone": tone,
                "volume": volume,
                "duration": duration,
                "power": power,
                **parts,
            },
        )


class Switch(Entity, _views.SwitchView):
    """A switch or an outlet."""

    @property
    def is_on(self) -> bool | None:
        """True if it is on. Setting it is `turn_on` or `turn_off`."""
        return super().is_on

    @is_on.setter
    def is_on(self, value: bool) -> None:
        if value:
            self.turn_on()
        else:
            self.turn_off()

    def turn_on(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="on")

    def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it off.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="off")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Switches it on if it is off, and off if it is on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, power="toggle")


class Text(Entity, _views.TextView):
    """A text that is set."""

    @property
    def value(self) -> str | None:
        """The text. Setting it is `set`."""
        return super().value

    @value.setter
    def value(self, value: str) -> None:
        self.set(value)


class Vacuum(Entity, _views.VacuumView):
    """A vacuum robot."""

    @property
    def fan_speed(self) -> str | None:
        """Suction. Setting it is `set_fan_speed`."""
        return super().fan_speed

    @fan_speed.setter
    def fan_speed(self, value: str) -> None:
        self.set_fan_speed(value)

    def start(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Starts to clean, or goes on.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="start")

    def pause(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Makes it wait.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="pause")

    def stop(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Stops it.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="stop")

    def return_to_base(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Sends it back to the dock.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="return_to_base")

    def locate(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Makes it heard.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="locate")

    def set_fan_speed(
        self,
        fan_speed: str,
        *,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Sets the suction.

        Args:
            fan_speed: a word of the device.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, fan_speed=fan_speed)

    def set_mode(self, mode: str, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Sets the mode.

        Args:
            mode: a word of the device.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, mode=mode)


class Valve(Entity, _views.ValveView):
    """A valve."""

    @property
    def is_open(self) -> bool | None:
        """True if it is open. Setting it is `open` or `close`."""
        return super().is_open

    @is_open.setter
    def is_open(self, value: bool) -> None:
        if value:
            self.open()
        else:
            self.close()

    @property
    def position(self) -> int | None:
        """Position in percent; 100 is open. Setting it is `set_position`."""
        return super().position

    @position.setter
    def position(self, value: float | str) -> None:
        self.set_position(value)

    def open(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Opens it.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="open")

    def close(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Closes it.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="close")

    def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
        """Opens it if it is closed, and closes it if it is open.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, command="toggle")

    def set_position(
        self,
        position: float | str,
        *,
        wait: Wait | None = None,
        timeout: float | None = None,
    ) -> Reply | None:
        """Moves it to a position.

        Args:
            position: the position in percent; 100 is open.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidValue, InvalidType: a value is not allowed; the text names those that are.
            Unsupported: the entity has no such setting; the text names those that it has.
            UnknownState: the present state, which is needed, is not known.
            TuyaError: as for `set_value`.
        """
        return self._write(wait, timeout, position=position)


_CLASSES: dict[str, type[Entity]] = {
    "alarm": Alarm,
    "binary_sensor": BinarySensor,
    "button": Button,
    "climate": Climate,
    "cover": Cover,
    "event": EventSource,
    "fan": Fan,
    "humidifier": Humidifier,
    "light": Light,
    "lock": Lock,
    "number": Number,
    "select": Select,
    "sensor": Sensor,
    "siren": Siren,
    "switch": Switch,
    "text": Text,
    "vacuum": Vacuum,
    "valve": Valve,
}


def wrap(handle: _native.EntityHandle) -> Entity:
    """Makes the object of an entity. For the extension module."""
    return _CLASSES.get(handle.kind, Entity)(handle)


def change(
    handle: _native.EntityHandle, state: EntityState, is_push: bool, missed: int, is_secret: bool
) -> Change[Entity]:
    """Makes the record of a change. For the extension module."""
    return Change(wrap(handle), state, is_push, missed, is_secret)
