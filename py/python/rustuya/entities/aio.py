"""The classes of :mod:`rustuya.entities` for asyncio: verbs are awaited, and nothing is set by assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._loops import Receiver, bridge_of_loop, finish
from . import _views
from .records import Change

if TYPE_CHECKING:
    from .. import _native
    from ..models import Reply
    from ..typing import Wait
    from . import Entity as _SyncEntity
    from .records import Setting

__all__ = [
    "Alarm",
    "BinarySensor",
    "Button",
    "Change",
    "Climate",
    "Cover",
    "Entity",
    "EventSource",
    "Fan",
    "Humidifier",
    "Light",
    "Lock",
    "Number",
    "Select",
    "Sensor",
    "Siren",
    "Switch",
    "Text",
    "Vacuum",
    "Valve",
]


def wrap(handle: _native.EntityHandle) -> Entity:
    """Makes the object of an entity. For `rustuya.aio`."""
    classes: dict[str, type[Entity]] = {
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
    return classes.get(handle.kind, Entity)(handle)


class _Source:
    """Changes of the synchronous class, with the entities of this module."""

    def __init__(self, native: _native.ChangeReceiver) -> None:
        self._native = native

    def try_recv(self) -> Change[Entity] | None:
        change = self._native.try_recv()
        return None if change is None else _converted(change)

    def close(self) -> None:
        self._native.close()

    def _ready(self, bridge: _native.LoopBridge, timeout: float | None = None) -> _native._Started[None]:
        return self._native._ready(bridge, timeout)

    @property
    def is_closed(self) -> bool:
        return self._native.is_closed

    @property
    def missed(self) -> int:
        return self._native.missed


def _converted(change: Change[_SyncEntity]) -> Change[Entity]:
    return Change(wrap(change.entity._handle), change.state, change.is_push, change.missed, change.is_secret)


def receiver(native: _native.ChangeReceiver) -> Receiver[Change[Entity]]:
    """Makes the receiver of changes. For `rustuya.aio`."""
    return Receiver(_Source(native))


class Entity(_views.EntityView):
    """A part of a device that a user names, such as a light, a switch or a sensor."""

    async def _write(self, wait: Wait | None, timeout: float | None, /, **parts: object) -> Reply | None:
        bridge = bridge_of_loop()
        return await finish(bridge, self._handle.start(bridge, parts, wait, timeout))

    # From here on as `rustuya.entities` has it: see `tests/test_stubs.py`.
    async def set(
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
        return await self._write(wait, timeout, **{"": value, **parts})


class Alarm(Entity, _views.AlarmView):
    """A host of an alarm system."""

    async def disarm(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, mode="disarm")

    async def arm_home(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, mode="arm_home")

    async def arm_away(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, mode="arm_away")

    async def trigger(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, mode="trigger")


class BinarySensor(Entity, _views.BinarySensorView):
    """Something that is on or off and only reported."""


class Button(Entity, _views.ButtonView):
    """Something that is pressed."""

    async def press(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, press="")


class Climate(Entity, _views.ClimateView):
    """A thermostat, an air conditioner, a heater."""

    async def set(
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
        return await self._write(
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

    async def turn_on(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="on")

    async def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="off")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="toggle")


class Cover(Entity, _views.CoverView):
    """A curtain, a blind, a garage door. Positions are in percent; 100 is open."""

    async def open(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="open")

    async def close(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="close")

    async def stop(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="stop")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="toggle")

    async def set_position(
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
        return await self._write(wait, timeout, position=position)

    async def set_tilt(
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
        return await self._write(wait, timeout, tilt=tilt)


class EventSource(Entity, _views.EventSourceView):
    """A source of events, such as a button of a remote control."""


class Fan(Entity, _views.FanView):
    """A fan, or the fan of a device."""

    async def turn_on(
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
        return await self._write(wait, timeout, power="on", percentage=percentage, preset=preset)

    async def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="off")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="toggle")

    async def set(
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
        return await self._write(
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

    async def turn_on(
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
        return await self._write(wait, timeout, power="on", humidity=humidity, mode=mode)

    async def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="off")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="toggle")

    async def set(
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
        return await self._write(
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

    async def turn_on(
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
        return await self._write(
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

    async def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="off")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="toggle")


class Lock(Entity, _views.LockView):
    """A lock. It is only reported."""


class Number(Entity, _views.NumberView):
    """A number that is set."""


class Select(Entity, _views.SelectView):
    """One of several words that is set."""


class Sensor(Entity, _views.SensorView):
    """A value that is only reported."""


class Siren(Entity, _views.SirenView):
    """A siren."""

    async def turn_on(
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
        return await self._write(wait, timeout, power="on", tone=tone, volume=volume, duration=duration)

    async def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="off")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="toggle")

    async def set(
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
        return await self._write(
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

    async def turn_on(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="on")

    async def turn_off(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="off")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, power="toggle")


class Text(Entity, _views.TextView):
    """A text that is set."""


class Vacuum(Entity, _views.VacuumView):
    """A vacuum robot."""

    async def start(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="start")

    async def pause(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="pause")

    async def stop(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="stop")

    async def return_to_base(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="return_to_base")

    async def locate(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="locate")

    async def set_fan_speed(
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
        return await self._write(wait, timeout, fan_speed=fan_speed)

    async def set_mode(self, mode: str, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, mode=mode)


class Valve(Entity, _views.ValveView):
    """A valve."""

    async def open(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="open")

    async def close(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="close")

    async def toggle(self, *, wait: Wait | None = None, timeout: float | None = None) -> Reply | None:
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
        return await self._write(wait, timeout, command="toggle")

    async def set_position(
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
        return await self._write(wait, timeout, position=position)
