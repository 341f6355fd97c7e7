"""Methods of devices and sub-devices of :mod:`rustuya.aio` that lead to their entities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from typing_extensions import Self

    from . import _native
    from ._loops import Receiver
    from .entities.aio import (
        Alarm,
        BinarySensor,
        Button,
        Change,
        Climate,
        Cover,
        Entity,
        EventSource,
        Fan,
        Humidifier,
        Light,
        Lock,
        Number,
        Select,
        Sensor,
        Siren,
        Switch,
        Text,
        Vacuum,
        Valve,
    )
    from .models import Description

__all__ = ["WithEntities"]


class WithEntities:
    """Base of devices and sub-devices: their entities."""

    _host: _native.WithEntities

    def describe(
        self,
        *,
        category: str | None = None,
        product_id: str | None = None,
        model: str | None = None,
        mapping: Mapping[str, Any] | None = None,
        children: Mapping[str, Description] | None = None,
        overrides: str | PathLike[str] | None = None,
        profiles: str | PathLike[str] | None = None,
    ) -> Self:
        """Adds facts about the device, by which it gets entities with names and values. Facts that are not given stay as
        they are. `Device.from_devices_file` and `DeviceConfig.load` do this by themselves.

        Args:
            category: the category of the product, such as "dj" for lights.
            product_id: the id of the product.
            model: the model of the product.
            mapping: the codes, types and ranges of its DPs, as `mapping` of a `devices.json` has them.
            children: descriptions of the sub-devices of a gateway, by cid.
            overrides: path of a JSON file with the user's own facts, which replace all others.
            profiles: path of a device file of tuya-local, or of a directory of them, of which the one that lists
                the product is taken.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            OSError: a file of `overrides` or `profiles` cannot be read.
            ConfigError: it is invalid; the text names the place.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        self._host.describe(
            category=category,
            product_id=product_id,
            model=model,
            mapping=mapping,
            children=children,
            overrides=overrides,
            profiles=profiles,
        )
        return self

    def entities(self) -> list[Entity]:
        """Returns all entities, the main ones first. An entity of a DP that no description has appears once the device has
        reported the DP.
        """
        from .entities.aio import wrap

        return [wrap(handle) for handle in self._host._entity_handles()]

    def entity(self, id: str) -> Entity:
        """Returns the entity with this id.

        Args:
            id: the entity's id, such as "switch_1", or its code.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import wrap

        return wrap(self._host._entity_handle(None, id))

    def alarm(self, id: str | None = None) -> Alarm:
        """Returns its alarm; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Alarm

        return Alarm(self._host._entity_handle("alarm", id))

    def binary_sensor(self, id: str | None = None) -> BinarySensor:
        """Returns its binary sensor; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import BinarySensor

        return BinarySensor(self._host._entity_handle("binary_sensor", id))

    def button(self, id: str | None = None) -> Button:
        """Returns its button; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Button

        return Button(self._host._entity_handle("button", id))

    def climate(self, id: str | None = None) -> Climate:
        """Returns its climate, such as a thermostat; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Climate

        return Climate(self._host._entity_handle("climate", id))

    def cover(self, id: str | None = None) -> Cover:
        """Returns its cover, such as a curtain; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Cover

        return Cover(self._host._entity_handle("cover", id))

    def event_source(self, id: str | None = None) -> EventSource:
        """Returns its source of events, such as a button of a remote control; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import EventSource

        return EventSource(self._host._entity_handle("event", id))

    def fan(self, id: str | None = None) -> Fan:
        """Returns its fan; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Fan

        return Fan(self._host._entity_handle("fan", id))

    def humidifier(self, id: str | None = None) -> Humidifier:
        """Returns its humidifier or dehumidifier; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Humidifier

        return Humidifier(self._host._entity_handle("humidifier", id))

    def light(self, id: str | None = None) -> Light:
        """Returns its light; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Light

        return Light(self._host._entity_handle("light", id))

    def lock(self, id: str | None = None) -> Lock:
        """Returns its lock; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Lock

        return Lock(self._host._entity_handle("lock", id))

    def number(self, id: str | None = None) -> Number:
        """Returns its number; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Number

        return Number(self._host._entity_handle("number", id))

    def select(self, id: str | None = None) -> Select:
        """Returns its select, one of several words; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Select

        return Select(self._host._entity_handle("select", id))

    def sensor(self, id: str | None = None) -> Sensor:
        """Returns its sensor; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Sensor

        return Sensor(self._host._entity_handle("sensor", id))

    def siren(self, id: str | None = None) -> Siren:
        """Returns its siren; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Siren

        return Siren(self._host._entity_handle("siren", id))

    def switch(self, id: str | None = None) -> Switch:
        """Returns its switch or outlet; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Switch

        return Switch(self._host._entity_handle("switch", id))

    def text(self, id: str | None = None) -> Text:
        """Returns its text; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Text

        return Text(self._host._entity_handle("text", id))

    def vacuum(self, id: str | None = None) -> Vacuum:
        """Returns its vacuum robot; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Vacuum

        return Vacuum(self._host._entity_handle("vacuum", id))

    def valve(self, id: str | None = None) -> Valve:
        """Returns its valve; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        from .entities.aio import Valve

        return Valve(self._host._entity_handle("valve", id))

    def changes(self) -> Receiver[Change[Entity]]:
        """Creates a receiver of the changes of its entities from now on: `change.entity`, `change.state`.

        Raises:
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
        from .entities.aio import receiver

        return receiver(self._host.changes())
