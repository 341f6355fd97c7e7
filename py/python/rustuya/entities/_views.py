"""Common parts of the synchronous and the asyncio classes of entities: descriptions and states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .. import _native
    from .records import (
        AlarmCapabilities,
        AlarmState,
        Capabilities,
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
        SirenCapabilities,
        SirenState,
        TextCapabilities,
        VacuumCapabilities,
        VacuumState,
        Value,
        ValveState,
    )

__all__ = [
    "AlarmView",
    "BinarySensorView",
    "ButtonView",
    "ClimateView",
    "CoverView",
    "EntityView",
    "EventSourceView",
    "FanView",
    "HumidifierView",
    "LightView",
    "LockView",
    "NumberView",
    "SelectView",
    "SensorView",
    "SirenView",
    "SwitchView",
    "TextView",
    "VacuumView",
    "ValveView",
]


class EntityView:
    """A part of a device that a user names, such as a light, a switch or a sensor."""

    _handle: _native.EntityHandle

    def __init__(self, handle: _native.EntityHandle) -> None:
        self._handle = handle

    @property
    def id(self) -> str:
        """Id, unique within the device and stable, such as "switch_1"."""
        return self._handle.id

    @property
    def kind(self) -> str:
        """Kind, such as "light" or "binary_sensor"."""
        return self._handle.kind

    @property
    def name(self) -> str | None:
        """Name; None if it is the device itself, as the light of a lamp."""
        return self._handle.name

    @property
    def code(self) -> str:
        """Code of its main DP in the vendor's words."""
        return self._handle.code

    @property
    def dps(self) -> tuple[int, ...]:
        """Numbers of its DPs, the main one first."""
        return self._handle.dps

    @property
    def unit(self) -> str | None:
        """Unit of its value, if it has one."""
        return self._handle.unit

    @property
    def device_class(self) -> str | None:
        """Device class in Home Assistant's words, such as "temperature"."""
        return self._handle.device_class

    @property
    def state_class(self) -> str | None:
        """Meaning of its values over time: "measurement", "total", "total_increasing" or "increment"."""
        return self._handle.state_class

    @property
    def category(self) -> str:
        """Part in the daily use of the device: "primary", "config" or "diagnostic"."""
        return self._handle.category

    @property
    def enabled(self) -> bool:
        """True if it is of use without being asked for. DPs without a known meaning are not."""
        return self._handle.enabled

    @property
    def settings(self) -> tuple[str, ...]:
        """Names that `set` takes, the main one first."""
        return self._handle.settings

    @property
    def capabilities(self) -> Capabilities:
        """Modes, ranges and words."""
        return cast("Capabilities", self._handle.capabilities)

    @property
    def state(self) -> EntityState:
        """State as last reported. Sends nothing."""
        return cast("EntityState", self._handle.state)

    @property
    def attributes(self) -> Mapping[str, Value]:
        """Values that belong to it and have no place in its state, by name."""
        return self._handle.attributes

    @property
    def is_out_of_spec(self) -> bool:
        """True if the device reports a value that its own specification does not allow. Such values are passed on."""
        return self._handle.is_out_of_spec

    @property
    def device_id(self) -> str:
        """Id of the device, or of the gateway of a sub-device."""
        return self._handle.device_id

    @property
    def cid(self) -> str | None:
        """The cid, if the device is a sub-device."""
        return self._handle.cid

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, EntityView) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.id!r} of {self.device_id!r}>"

    @property
    def _key(self) -> tuple[Any, ...]:
        return (self.device_id, self.cid, self.kind, self.id)


class AlarmView(EntityView):
    """A host of an alarm system."""

    @property
    def state(self) -> AlarmState:
        """State as last reported. Sends nothing."""
        return cast("AlarmState", self._handle.state)

    @property
    def capabilities(self) -> AlarmCapabilities:
        """Modes, ranges and words."""
        return cast("AlarmCapabilities", self._handle.capabilities)

    @property
    def mode(self) -> str | None:
        """Mode: "disarmed", "armed_away", "armed_home" or "triggered"."""
        return self.state.mode

    @property
    def is_triggered(self) -> bool | None:
        """True if it was triggered."""
        return self.state.is_triggered


class BinarySensorView(EntityView):
    """Something that is on or off and only reported."""

    @property
    def state(self) -> bool | None:
        """State as last reported. Sends nothing."""
        return cast("bool | None", self._handle.state)

    @property
    def is_on(self) -> bool | None:
        """True if it is on: open, wet, occupied, as the device class says."""
        return self.state


class ButtonView(EntityView):
    """Something that is pressed."""


class ClimateView(EntityView):
    """A thermostat, an air conditioner, a heater."""

    @property
    def state(self) -> ClimateState:
        """State as last reported. Sends nothing."""
        return cast("ClimateState", self._handle.state)

    @property
    def capabilities(self) -> ClimateCapabilities:
        """Modes, ranges and words."""
        return cast("ClimateCapabilities", self._handle.capabilities)

    @property
    def mode(self) -> str | None:
        """Mode: "off", "heat", "cool", "heat_cool", "auto", "dry" or "fan_only"."""
        return self.state.mode

    @property
    def action(self) -> str | None:
        """Present activity, such as "heating" or "idle"."""
        return self.state.action

    @property
    def target_temperature(self) -> float | None:
        """Temperature that is asked for."""
        return self.state.target_temperature

    @property
    def target_temperature_low(self) -> float | None:
        """Lower end of the temperatures that are asked for."""
        return self.state.target_temperature_low

    @property
    def target_temperature_high(self) -> float | None:
        """Upper end of the temperatures that are asked for."""
        return self.state.target_temperature_high

    @property
    def current_temperature(self) -> float | None:
        """Temperature as it is."""
        return self.state.current_temperature

    @property
    def target_humidity(self) -> float | None:
        """Humidity that is asked for, in percent."""
        return self.state.target_humidity

    @property
    def current_humidity(self) -> float | None:
        """Humidity as it is, in percent."""
        return self.state.current_humidity

    @property
    def preset(self) -> str | None:
        """Preset, such as "eco"."""
        return self.state.preset

    @property
    def fan_mode(self) -> str | None:
        """Fan mode."""
        return self.state.fan_mode

    @property
    def swing_mode(self) -> str | None:
        """Swing."""
        return self.state.swing_mode

    @property
    def swing_horizontal_mode(self) -> str | None:
        """Swing from side to side."""
        return self.state.swing_horizontal_mode


class CoverView(EntityView):
    """A curtain, a blind, a garage door. Positions are in percent; 100 is open."""

    @property
    def state(self) -> CoverState:
        """State as last reported. Sends nothing."""
        return cast("CoverState", self._handle.state)

    @property
    def capabilities(self) -> CoverCapabilities:
        """Modes, ranges and words."""
        return cast("CoverCapabilities", self._handle.capabilities)

    @property
    def position(self) -> int | None:
        """Position in percent; 100 is open."""
        return self.state.position

    @property
    def tilt(self) -> int | None:
        """Tilt in percent."""
        return self.state.tilt

    @property
    def is_closed(self) -> bool | None:
        """True if it is closed."""
        return self.state.is_closed


class EventSourceView(EntityView):
    """A source of events, such as a button of a remote control."""

    @property
    def state(self) -> EventState:
        """State as last reported. Sends nothing."""
        return cast("EventState", self._handle.state)

    @property
    def capabilities(self) -> EventCapabilities:
        """Modes, ranges and words."""
        return cast("EventCapabilities", self._handle.capabilities)

    @property
    def event_type(self) -> str | None:
        """Type of the last event. It may be old: `device.changes()` has events when they come."""
        return self.state.event_type


class FanView(EntityView):
    """A fan, or the fan of a device."""

    @property
    def state(self) -> FanState:
        """State as last reported. Sends nothing."""
        return cast("FanState", self._handle.state)

    @property
    def capabilities(self) -> FanCapabilities:
        """Modes, ranges and words."""
        return cast("FanCapabilities", self._handle.capabilities)

    @property
    def is_on(self) -> bool | None:
        """True if it is on."""
        return self.state.is_on

    @property
    def percentage(self) -> int | None:
        """Speed in percent, 1 to 100."""
        return self.state.percentage

    @property
    def preset(self) -> str | None:
        """Preset."""
        return self.state.preset

    @property
    def is_oscillating(self) -> bool | None:
        """True if it oscillates."""
        return self.state.is_oscillating

    @property
    def direction(self) -> str | None:
        """ "forward" or "reverse"."""
        return self.state.direction


class HumidifierView(EntityView):
    """A humidifier or dehumidifier."""

    @property
    def state(self) -> HumidifierState:
        """State as last reported. Sends nothing."""
        return cast("HumidifierState", self._handle.state)

    @property
    def capabilities(self) -> HumidifierCapabilities:
        """Modes, ranges and words."""
        return cast("HumidifierCapabilities", self._handle.capabilities)

    @property
    def is_on(self) -> bool | None:
        """True if it is on."""
        return self.state.is_on

    @property
    def target_humidity(self) -> float | None:
        """Humidity that is asked for, in percent."""
        return self.state.target_humidity

    @property
    def current_humidity(self) -> float | None:
        """Humidity as it is, in percent."""
        return self.state.current_humidity

    @property
    def mode(self) -> str | None:
        """Mode."""
        return self.state.mode

    @property
    def action(self) -> str | None:
        """Present activity."""
        return self.state.action


class LightView(EntityView):
    """A light."""

    @property
    def state(self) -> LightState:
        """State as last reported. Sends nothing."""
        return cast("LightState", self._handle.state)

    @property
    def capabilities(self) -> LightCapabilities:
        """Modes, ranges and words."""
        return cast("LightCapabilities", self._handle.capabilities)

    @property
    def is_on(self) -> bool | None:
        """True if it is on."""
        return self.state.is_on

    @property
    def brightness(self) -> int | None:
        """Brightness as it is lit, 1 to 255."""
        return self.state.brightness

    @property
    def brightness_percent(self) -> int | None:
        """Brightness as it is lit, 1 to 100 percent."""
        return self.state.brightness_percent

    @property
    def color_mode(self) -> str | None:
        """Way in which it is lit: "onoff", "brightness", "color_temp", "white" or "hs"."""
        return self.state.color_mode

    @property
    def color(self) -> str | None:
        """Color as "#rrggbb", also while the light is white."""
        return self.state.color

    @property
    def hs(self) -> tuple[float, float] | None:
        """Hue in degrees and saturation in percent of that color."""
        return self.state.hs

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """Red, green and blue of that color, 0 to 255."""
        return self.state.rgb

    @property
    def color_temp(self) -> int | None:
        """Color temperature in kelvin, also while the light is colored."""
        return self.state.color_temp

    @property
    def effect(self) -> str | None:
        """Effect that runs."""
        return self.state.effect


class LockView(EntityView):
    """A lock. It is only reported."""

    @property
    def state(self) -> LockState:
        """State as last reported. Sends nothing."""
        return cast("LockState", self._handle.state)

    @property
    def is_locked(self) -> bool | None:
        """True if it is locked."""
        return self.state.is_locked

    @property
    def unlocked_by(self) -> Mapping[str, float]:
        """Numbers of the users who unlocked it, by the way: "fingerprint", "card", "app"."""
        return self.state.unlocked_by


class NumberView(EntityView):
    """A number that is set."""

    @property
    def state(self) -> float | None:
        """State as last reported. Sends nothing."""
        return cast("float | None", self._handle.state)

    @property
    def capabilities(self) -> NumberCapabilities | None:
        """Modes, ranges and words."""
        return cast("NumberCapabilities | None", self._handle.capabilities)

    @property
    def value(self) -> float | None:
        """The number in its unit."""
        return self.state


class SelectView(EntityView):
    """One of several words that is set."""

    @property
    def state(self) -> str | None:
        """State as last reported. Sends nothing."""
        return cast("str | None", self._handle.state)

    @property
    def capabilities(self) -> OptionCapabilities | None:
        """Modes, ranges and words."""
        return cast("OptionCapabilities | None", self._handle.capabilities)

    @property
    def option(self) -> str | None:
        """The word."""
        return self.state


class SensorView(EntityView):
    """A value that is only reported."""

    @property
    def state(self) -> Value:
        """State as last reported. Sends nothing."""
        return cast("Value", self._handle.state)

    @property
    def capabilities(self) -> NumberCapabilities | OptionCapabilities | None:
        """Modes, ranges and words."""
        return cast("NumberCapabilities | OptionCapabilities | None", self._handle.capabilities)

    @property
    def value(self) -> Value:
        """The value: a number in its unit, a word, or a dict of measurements."""
        return self.state


class SirenView(EntityView):
    """A siren."""

    @property
    def state(self) -> SirenState:
        """State as last reported. Sends nothing."""
        return cast("SirenState", self._handle.state)

    @property
    def capabilities(self) -> SirenCapabilities:
        """Modes, ranges and words."""
        return cast("SirenCapabilities", self._handle.capabilities)

    @property
    def is_on(self) -> bool | None:
        """True if it sounds."""
        return self.state.is_on

    @property
    def tone(self) -> str | None:
        """Tone."""
        return self.state.tone

    @property
    def volume(self) -> float | str | None:
        """Volume: a number, or a word of the device."""
        return self.state.volume

    @property
    def duration(self) -> float | None:
        """Duration, mostly in seconds."""
        return self.state.duration


class SwitchView(EntityView):
    """A switch or an outlet."""

    @property
    def state(self) -> bool | None:
        """State as last reported. Sends nothing."""
        return cast("bool | None", self._handle.state)

    @property
    def is_on(self) -> bool | None:
        """True if it is on."""
        return self.state


class TextView(EntityView):
    """A text that is set."""

    @property
    def state(self) -> str | None:
        """State as last reported. Sends nothing."""
        return cast("str | None", self._handle.state)

    @property
    def capabilities(self) -> TextCapabilities:
        """Modes, ranges and words."""
        return cast("TextCapabilities", self._handle.capabilities)

    @property
    def value(self) -> str | None:
        """The text."""
        return self.state


class VacuumView(EntityView):
    """A vacuum robot."""

    @property
    def state(self) -> VacuumState:
        """State as last reported. Sends nothing."""
        return cast("VacuumState", self._handle.state)

    @property
    def capabilities(self) -> VacuumCapabilities:
        """Modes, ranges and words."""
        return cast("VacuumCapabilities", self._handle.capabilities)

    @property
    def activity(self) -> str | None:
        """ "cleaning", "docked", "returning", "idle", "paused" or "error"."""
        return self.state.activity

    @property
    def fan_speed(self) -> str | None:
        """Suction."""
        return self.state.fan_speed

    @property
    def battery(self) -> float | None:
        """Battery in percent."""
        return self.state.battery

    @property
    def faults(self) -> tuple[str, ...]:
        """Faults that it reports."""
        return self.state.faults


class ValveView(EntityView):
    """A valve."""

    @property
    def state(self) -> ValveState:
        """State as last reported. Sends nothing."""
        return cast("ValveState", self._handle.state)

    @property
    def capabilities(self) -> CoverCapabilities:
        """Modes, ranges and words."""
        return cast("CoverCapabilities", self._handle.capabilities)

    @property
    def is_open(self) -> bool | None:
        """True if it is open."""
        return self.state.is_open

    @property
    def position(self) -> int | None:
        """Position in percent; 100 is open."""
        return self.state.position
