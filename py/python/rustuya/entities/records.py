"""States and capabilities of entities, and changes: immutable records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Generic, Optional, TypeVar, Union

__all__ = [
    "AlarmCapabilities",
    "AlarmState",
    "Capabilities",
    "Change",
    "ClimateCapabilities",
    "ClimateState",
    "CoverCapabilities",
    "CoverState",
    "EntityState",
    "EventCapabilities",
    "EventState",
    "FanCapabilities",
    "FanState",
    "HumidifierCapabilities",
    "HumidifierState",
    "LightCapabilities",
    "LightState",
    "LockState",
    "NumberCapabilities",
    "OptionCapabilities",
    "Setting",
    "SirenCapabilities",
    "SirenState",
    "TextCapabilities",
    "VacuumCapabilities",
    "VacuumState",
    "Value",
    "ValveState",
]

Value = Union[bool, int, float, str, bytes, list[Any], dict[str, Any], None]
"""Value of an entity: a number in its unit, a word, a list of labels, a dict of measurements; None while it is unknown.

A number without decimals is an int. Any other is the float that is nearest to the exact decimal number of the device,
so that its text has the same digits: 21.5, never 21.499999.
"""

Setting = Union[str, bool, int, float, Decimal]
"""Value that is set: text as on the command line, such as "50%", or a number, which is taken as the decimal number that
its text shows."""

Entity_co = TypeVar("Entity_co", covariant=True)


@dataclass(frozen=True)
class LightState:
    """State of a light. None stands for an unknown value.

    Attributes:
        is_on: whether it is on.
        brightness: its brightness as it is lit, 1 to 255.
        brightness_percent: the same in percent, 1 to 100.
        color_mode: the way in which it is lit: "onoff", "brightness", "color_temp", "white" or "hs".
        color: the color as "#rrggbb", also while the light is white.
        hs: hue in degrees and saturation in percent of that color.
        rgb: red, green and blue of that color, 0 to 255.
        color_temp: the color temperature in kelvin, also while the light is colored.
        mode: the device's own word for its mode.
        effect: the effect that runs.
    """

    is_on: bool | None = None
    brightness: int | None = None
    brightness_percent: int | None = None
    color_mode: str | None = None
    color: str | None = None
    hs: tuple[float, float] | None = None
    rgb: tuple[int, int, int] | None = None
    color_temp: int | None = None
    mode: str | None = None
    effect: str | None = None


@dataclass(frozen=True)
class ClimateState:
    """State of a climate. None stands for an unknown value.

    Attributes:
        mode: "off", "heat", "cool", "heat_cool", "auto", "dry" or "fan_only".
        action: its present activity, such as "heating" or "idle".
        target_temperature: the temperature that is asked for.
        target_temperature_low: lower end of the temperatures that are asked for.
        target_temperature_high: upper end of the temperatures that are asked for.
        current_temperature: the temperature as it is.
        unit: unit of the temperatures, "°C" or "°F".
        target_humidity: the humidity that is asked for, in percent.
        current_humidity: the humidity as it is, in percent.
        preset: the preset, such as "eco".
        fan_mode: the fan mode.
        swing_mode: the swing.
        swing_horizontal_mode: the swing from side to side, where the device has words of its own for it.
    """

    mode: str | None = None
    action: str | None = None
    target_temperature: float | None = None
    target_temperature_low: float | None = None
    target_temperature_high: float | None = None
    current_temperature: float | None = None
    unit: str = "°C"
    target_humidity: float | None = None
    current_humidity: float | None = None
    preset: str | None = None
    fan_mode: str | None = None
    swing_mode: str | None = None
    swing_horizontal_mode: str | None = None


@dataclass(frozen=True)
class CoverState:
    """State of a cover. None stands for an unknown value.

    Attributes:
        state: "open", "closed", "opening" or "closing".
        position: its position in percent; 100 is open.
        tilt: its tilt in percent.
        is_closed: whether it is closed.
    """

    state: str | None = None
    position: int | None = None
    tilt: int | None = None
    is_closed: bool | None = None


@dataclass(frozen=True)
class FanState:
    """State of a fan. None stands for an unknown value.

    Attributes:
        is_on: whether it is on.
        percentage: its speed in percent, 1 to 100.
        preset: the preset.
        is_oscillating: whether it oscillates.
        direction: "forward" or "reverse".
    """

    is_on: bool | None = None
    percentage: int | None = None
    preset: str | None = None
    is_oscillating: bool | None = None
    direction: str | None = None


@dataclass(frozen=True)
class HumidifierState:
    """State of a humidifier or dehumidifier. None stands for an unknown value.

    Attributes:
        is_on: whether it is on.
        target_humidity: the humidity that is asked for, in percent.
        current_humidity: the humidity as it is, in percent.
        mode: the mode.
        action: its present activity.
    """

    is_on: bool | None = None
    target_humidity: float | None = None
    current_humidity: float | None = None
    mode: str | None = None
    action: str | None = None


@dataclass(frozen=True)
class AlarmState:
    """State of an alarm. None stands for an unknown value.

    Attributes:
        mode: "disarmed", "armed_away", "armed_home" or "triggered".
        is_triggered: whether it was triggered.
        message: the host's text about it.
    """

    mode: str | None = None
    is_triggered: bool | None = None
    message: str | None = None


@dataclass(frozen=True)
class SirenState:
    """State of a siren. None stands for an unknown value.

    Attributes:
        is_on: whether it sounds.
        tone: the tone.
        volume: the volume: a number, or a word of the device.
        duration: the duration, mostly in seconds.
    """

    is_on: bool | None = None
    tone: str | None = None
    volume: float | str | None = None
    duration: float | None = None


@dataclass(frozen=True)
class VacuumState:
    """State of a vacuum robot. None stands for an unknown value.

    Attributes:
        activity: "cleaning", "docked", "returning", "idle", "paused" or "error".
        status: the device's own word for that.
        fan_speed: the suction.
        battery: the battery in percent.
        faults: the faults that it reports.
    """

    activity: str | None = None
    status: str | None = None
    fan_speed: str | None = None
    battery: float | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValveState:
    """State of a valve. None stands for an unknown value.

    Attributes:
        is_open: whether it is open.
        position: its position in percent; 100 is open.
    """

    is_open: bool | None = None
    position: int | None = None


@dataclass(frozen=True)
class LockState:
    """State of a lock. None stands for an unknown value.

    Attributes:
        is_locked: whether it is locked.
        unlocked_by: the numbers of the users who unlocked it, by the way: "fingerprint", "card", "app".
    """

    is_locked: bool | None = None
    unlocked_by: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), hash=False)


@dataclass(frozen=True)
class EventState:
    """An event.

    Attributes:
        event_type: its type, such as "click". The state of an entity repeats the last one.
    """

    event_type: str | None = None


@dataclass(frozen=True)
class LightCapabilities:
    """Abilities of a light.

    Attributes:
        color_modes: the ways in which it can be lit: "onoff", "brightness", "color_temp", "white", "hs".
        min_kelvin: its warmest light in kelvin; None if its color temperature cannot be set.
        max_kelvin: its coldest light in kelvin.
        effects: its effects.
    """

    color_modes: tuple[str, ...] = ()
    min_kelvin: int | None = None
    max_kelvin: int | None = None
    effects: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClimateCapabilities:
    """Abilities of a climate.

    Attributes:
        modes: its modes.
        presets: its presets.
        fan_modes: its fan modes.
        swing_modes: its swing modes.
        swing_horizontal_modes: its modes of the swing from side to side.
        min_temperature: least temperature.
        max_temperature: greatest temperature.
        temperature_step: distance of two temperatures.
        unit: unit of the temperatures, unless a setting of the device decides.
        min_humidity: least humidity that can be asked for, in percent.
        max_humidity: greatest humidity that can be asked for, in percent.
        has_temperature_range: whether it takes a range of temperatures.
        has_action: whether it reports its activity.
    """

    modes: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    fan_modes: tuple[str, ...] = ()
    swing_modes: tuple[str, ...] = ()
    swing_horizontal_modes: tuple[str, ...] = ()
    min_temperature: float | None = None
    max_temperature: float | None = None
    temperature_step: float | None = None
    unit: str = "°C"
    min_humidity: float | None = None
    max_humidity: float | None = None
    has_temperature_range: bool = False
    has_action: bool = False


@dataclass(frozen=True)
class CoverCapabilities:
    """Abilities of a cover or a valve.

    Attributes:
        can_open: whether it opens and closes.
        can_stop: whether it stops.
        can_set_position: whether it goes to a position.
        has_position: whether it reports a position.
        can_tilt: whether it tilts.
    """

    can_open: bool = False
    can_stop: bool = False
    can_set_position: bool = False
    has_position: bool = False
    can_tilt: bool = False


@dataclass(frozen=True)
class FanCapabilities:
    """Abilities of a fan.

    Attributes:
        speed_count: number of its speeds; None if its speed is not set in percent.
        presets: its presets.
        can_oscillate: whether it oscillates.
        directions: its directions.
    """

    speed_count: int | None = None
    presets: tuple[str, ...] = ()
    can_oscillate: bool = False
    directions: tuple[str, ...] = ()


@dataclass(frozen=True)
class HumidifierCapabilities:
    """Abilities of a humidifier.

    Attributes:
        min_humidity: least humidity that can be asked for, in percent.
        max_humidity: greatest humidity that can be asked for, in percent.
        modes: its modes.
    """

    min_humidity: float | None = None
    max_humidity: float | None = None
    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NumberCapabilities:
    """Range of a number, or of a sensor of numbers.

    Attributes:
        min: least number.
        max: greatest number.
        step: distance of two numbers.
        decimals: number of digits after the point.
    """

    min: float | None = None
    max: float | None = None
    step: float | None = None
    decimals: int = 0


@dataclass(frozen=True)
class OptionCapabilities:
    """Words of a select, or of a sensor of words.

    Attributes:
        options: the words.
    """

    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextCapabilities:
    """Length of a text.

    Attributes:
        max_length: most characters; None if no limit is known.
    """

    max_length: int | None = None


@dataclass(frozen=True)
class SirenCapabilities:
    """Abilities of a siren.

    Attributes:
        tones: its tones.
        volumes: its volumes, if they are words.
        can_set_volume: whether its volume can be set.
        can_set_duration: whether its duration can be set.
    """

    tones: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    can_set_volume: bool = False
    can_set_duration: bool = False


@dataclass(frozen=True)
class VacuumCapabilities:
    """Abilities of a vacuum robot.

    Attributes:
        can_start: whether it starts and stops.
        can_pause: whether it pauses.
        can_return: whether it goes back to the dock.
        can_locate: whether it makes itself heard.
        fan_speeds: its suctions.
        modes: its modes.
    """

    can_start: bool = False
    can_pause: bool = False
    can_return: bool = False
    can_locate: bool = False
    fan_speeds: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlarmCapabilities:
    """Abilities of an alarm.

    Attributes:
        modes: the modes that can be set.
    """

    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EventCapabilities:
    """Types of events of a source.

    Attributes:
        event_types: the types of its events.
    """

    event_types: tuple[str, ...] = ()


EntityState = Union[
    AlarmState,
    ClimateState,
    CoverState,
    EventState,
    FanState,
    HumidifierState,
    LightState,
    LockState,
    SirenState,
    VacuumState,
    ValveState,
    Value,
]
"""State of any entity: a record, or the value of an entity that has only one."""

Capabilities = Optional[
    Union[
        AlarmCapabilities,
        ClimateCapabilities,
        CoverCapabilities,
        EventCapabilities,
        FanCapabilities,
        HumidifierCapabilities,
        LightCapabilities,
        NumberCapabilities,
        OptionCapabilities,
        SirenCapabilities,
        TextCapabilities,
        VacuumCapabilities,
    ]
]
"""Abilities of an entity; None where all of a kind have the same."""


@dataclass(frozen=True)
class Change(Generic[Entity_co]):
    """A change of an entity, from ``device.changes()``.

    Attributes:
        entity: the entity.
        state: its state now. Of a source of events it is the event, of a sensor of increments the increment.
        is_push: whether the device reported it by itself. An answer to a query may repeat what was reported before.
        missed: number of events of the device that were lost before this change, because they were not taken in time.
            States are up to date again after them; sums of increments may lack some.
        is_secret: whether a device file marks the value as secret, so that `repr` omits it.
    """

    entity: Entity_co
    state: EntityState
    is_push: bool = True
    missed: int = 0
    is_secret: bool = False

    def __repr__(self) -> str:
        state = "..." if self.is_secret else repr(self.state)
        return f"Change(entity={self.entity!r}, state={state}, is_push={self.is_push}, missed={self.missed})"
