"""Tests of entities: descriptions, states, verbs, setters, changes and errors, in both faces."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import rustuya
from rustuya import Description, Device, DeviceConfig, Manager, aio, entities
from rustuya.entities import Change, Entity
from rustuya.testing import VirtualDevice

from .products import CURTAIN, LIGHT, LIGHT_DPS, OLD_LIGHT, PLUG, THERMOSTAT, flag, number

KEY = "0123456789abcdef"
Make = Callable[..., VirtualDevice]


@contextmanager
def described(virtual: VirtualDevice, category: str, mapping: dict[str, Any]) -> Generator[Device]:
    with virtual.device() as device:
        device.describe(category=category, mapping=mapping)
        device.wait_ready()
        yield device


@pytest.fixture
def lamp(virtual_device: Make) -> Iterator[tuple[VirtualDevice, Device]]:
    virtual = virtual_device("lamp", dps=LIGHT_DPS)
    with described(virtual, "dj", LIGHT) as device:
        yield virtual, device


def test_a_light_is_switched_dimmed_and_colored_in_one_command(lamp: tuple[VirtualDevice, Device]) -> None:
    virtual, device = lamp
    light = device.light()
    requests = virtual.requests()
    assert light.turn_on(brightness=128, hs=(120, 80), wait="effect") is not None
    written = [request for request in iter(requests.try_recv, None) if request.name == "Control" or request.cmd == 13]
    assert len(written) == 1
    dps = virtual.dps()
    assert (dps["20"], dps["21"], dps["24"]) == (True, "colour", "0078032001f6")
    assert (light.is_on, light.color_mode, light.brightness, light.hs) == (True, "hs", 128, (120.0, 80.0))
    assert light.turn_on(color_temp=2700, brightness="50%", wait="ack") is not None
    assert (virtual.dps()["21"], virtual.dps()["22"]) == ("white", 505)
    light.turn_on(rgb=(255, 136, 0), wait="effect")
    assert (light.rgb, light.color) == ((255, 136, 0), "#ff8800")
    light.turn_on(color="red", wait="effect")
    assert light.color == "#ff0000"
    light.turn_on(effect="music", wait="effect")
    assert (light.effect, virtual.dps()["21"]) == ("music", "music")
    light.toggle(wait="effect")
    assert light.is_on is False
    assert light.turn_on() is None
    light.turn_off(wait="effect")
    assert light.state == device.light().state
    assert light.capabilities.color_modes == ("color_temp", "hs")
    assert light.capabilities.effects == ("scene", "music")


def test_an_old_light_has_its_own_ranges_and_form_of_a_color(virtual_device: Make) -> None:
    dps = {"1": True, "2": "white", "3": 25, "4": 0, "5": "ff00000000ffff"}
    virtual = virtual_device("old", version="3.1", dps=dps)
    with described(virtual, "dj", OLD_LIGHT) as device:
        light = device.light()
        assert light.color == "#ff0000"
        light.turn_on(brightness="100%", wait="effect")
        assert virtual.dps()["3"] == 255
        light.turn_on(color="#0000ff", wait="effect")
        assert virtual.dps()["5"] == "0000ff00f0ffff"


def test_properties_of_a_light_are_set_by_assignment(lamp: tuple[VirtualDevice, Device]) -> None:
    virtual, device = lamp
    device.set_nowait(False)
    light = device.light()
    light.brightness = 255
    device.query()
    assert virtual.dps()["22"] == 1000
    assert light.brightness == 255
    light.brightness = "10%"
    light.is_on = False
    light.hs = (240, 100)
    light.color = "#00ff00"
    light.color_temp = 4000
    device.query()
    kelvin = light.color_temp
    assert kelvin is not None
    assert abs(kelvin - 4000) <= 5
    with pytest.raises(rustuya.InvalidValue, match="brightness goes from 1 to 255"):
        light.brightness = 0


def test_states_are_none_before_they_are_reported(virtual_device: Make) -> None:
    virtual = virtual_device("unplugged", dps=LIGHT_DPS)
    virtual.unplug()
    with virtual.device() as device:
        device.describe(category="dj", mapping=LIGHT)
        light = device.light()
        assert (light.is_on, light.brightness, light.color, light.color_temp) == (None, None, None, None)
        with pytest.raises(rustuya.UnknownState, match="not known"):
            light.toggle(wait="queue")
        for verb in (light.turn_on, light.toggle):
            with pytest.raises(rustuya.ConnectError):
                verb(timeout=0.2)


def test_a_verb_knows_the_state_of_a_device_that_was_just_made(virtual_device: Make) -> None:
    virtual = virtual_device("lamp", dps={**LIGHT_DPS, "20": True, "21": "colour"})
    config: dict[str, Any] = {**virtual.config, "description": Description(category="dj", mapping=LIGHT)}
    with Device(**config) as device:
        # A colored light stays colored.
        assert device.light().turn_on(brightness="50%", wait="effect") is not None
        assert (virtual.dps()["21"], virtual.dps()["24"]) == ("colour", "000003e801f4")

    async def run() -> None:
        async with aio.Device(**config) as device:
            assert await device.light().toggle(wait="ack") is not None
            assert virtual.dps()["20"] is False

    asyncio.run(run())
    with Device(**config, query_on_connect=False) as device:
        assert device.light().toggle() is None
        device.query()
        assert device.light().is_on is True


def test_values_are_refused_with_the_words_of_the_library(lamp: tuple[VirtualDevice, Device]) -> None:
    virtual, device = lamp
    light = device.light()
    refused: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: light.turn_on(brightness=256), rustuya.InvalidValue, "brightness goes from 1 to 255"),
        (lambda: light.turn_on(brightness="200%"), rustuya.InvalidValue, "brightness goes from 1 to 100 %"),
        (lambda: light.turn_on(color="colorless"), rustuya.InvalidValue, "not a color such as red"),
        (lambda: light.turn_on(color="red", color_temp=3000), rustuya.InvalidValue, "exclude each other"),
        (lambda: light.turn_on(effect="disco"), rustuya.InvalidValue, "effect is one of scene, music"),
        (lambda: light.set(speed=3), rustuya.Unsupported, "no speed; it has power, brightness"),
        (lambda: light.turn_on(brightness=b"1"), rustuya.InvalidType, "brightness must be"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (lambda: light.turn_on(wait="soon"), rustuya.ConfigError, "wait="),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ]
    for call, error, text in refused:
        with pytest.raises(error, match=text):
            call()
    assert issubclass(rustuya.InvalidValue, ValueError)
    assert issubclass(rustuya.Unsupported, rustuya.InvalidValue)
    assert virtual.dps() == LIGHT_DPS


def test_a_device_without_such_an_entity_says_what_it_has(lamp: tuple[VirtualDevice, Device]) -> None:
    _, device = lamp
    with pytest.raises(rustuya.NoSuchEntity, match=r"lamp: no entity of the kind cover; it has switch_led \(light\)"):
        device.cover()
    with pytest.raises(rustuya.NoSuchEntity, match='no entity "switch_9"'):
        device.entity("switch_9")
    with pytest.raises(LookupError, match='"switch_led" of the kind switch'):
        device.switch("switch_led")
    assert device.light("switch_led") == device.light() == device.entity("switch_led")
    assert hash(device.light()) == hash(device.entity("switch_led"))


def test_a_plug_measures(virtual_device: Make) -> None:
    virtual = virtual_device("plug", dps={"1": True, "9": 0, "18": 250, "19": 605, "20": 2301})
    with described(virtual, "cz", PLUG) as device:
        plug = device.switch()
        assert (plug.is_on, plug.device_class, plug.dps) == (True, "outlet", (1,))
        power = device.sensor("cur_power")
        assert (power.value, str(power.value), power.unit) == (60.5, "60.5", "W")
        assert (power.device_class, power.state_class, power.code) == ("power", "measurement", "cur_power")
        assert (power.enabled, power.kind, power.cid) == (True, "sensor", None)
        current = device.sensor("cur_current")
        assert (current.value, type(current.value)) == (250, int)
        countdown = device.number("countdown_1")
        countdown.set(Decimal(60), wait="effect")
        assert countdown.value == 60
        countdown.value = 61
        countdown.set("62 s", wait="effect")
        assert virtual.dps()["9"] == 62
        assert countdown.capabilities is not None
        assert countdown.capabilities.max == 86400
        with pytest.raises(rustuya.InvalidValue, match="goes from 0 to 86400 s"):
            countdown.set(-1)
        with pytest.raises(rustuya.Unsupported, match="only reported"):
            power.set(1)
        plug.turn_off(wait="effect")
        plug.is_on = True
        device.query()
        plug.toggle(wait="effect")
        assert virtual.dps()["1"] is False
        assert {each.kind for each in device.entities()} >= {"switch", "sensor", "number"}


def test_a_climate_takes_exact_temperatures(virtual_device: Make) -> None:
    virtual = virtual_device("thermostat", dps={"1": False, "2": "hot", "16": 200, "24": 215})
    with described(virtual, "wk", THERMOSTAT) as device:
        climate = device.climate()
        assert (climate.mode, climate.current_temperature, climate.target_temperature) == ("off", 21.5, 20.0)
        assert (climate.state.unit, climate.capabilities.temperature_step) == ("°C", 0.5)
        assert climate.set(temperature=21.5, mode="heat", wait="effect") is not None
        assert (virtual.dps()["16"], virtual.dps()["1"]) == (215, True)
        climate.target_temperature = Decimal("22.5")
        climate.set(temperature="23", wait="effect")
        assert (climate.mode, climate.target_temperature) == ("heat", 23.0)
        for wrong, text in ((21.3, "in steps of 0.5"), (99, "goes from 5 to 35 °C")):
            with pytest.raises(rustuya.InvalidValue, match=text):
                climate.set(temperature=wrong)
        climate.mode = "off"
        device.query()
        assert virtual.dps()["1"] is False


def test_a_cover_moves(virtual_device: Make) -> None:
    virtual = virtual_device("curtain", dps={"1": "stop", "2": 0, "3": 0})
    with described(virtual, "cl", CURTAIN) as device:
        cover = device.cover()
        before = cover.position
        assert before in (0, 100)
        assert (cover.capabilities.can_stop, cover.capabilities.can_set_position) == (True, True)
        cover.open(wait="effect")
        assert virtual.dps()["1"] == "open"
        cover.stop(wait="effect")
        cover.close(wait="effect")
        assert virtual.dps()["1"] == "close"
        cover.set_position(30, wait="effect")
        assert virtual.dps()["2"] in (30, 70)
        cover.position = "40%"
        for wrong in (101, -1, "high"):
            with pytest.raises(rustuya.InvalidValue, match="position"):
                cover.set_position(wrong)


def test_what_nothing_describes_has_generic_entities(virtual_device: Make) -> None:
    virtual = virtual_device("unknown", dps={"101": True, "102": 7, "103": "abc"})
    with virtual.device() as device:
        device.wait_ready()
        known = {each.dps[0]: each for each in device.entities()}
        assert set(known) == {101, 102, 103}
        assert not any(each.enabled for each in known.values())
        assert [known[dp].state for dp in (101, 102, 103)] == [True, 7, "abc"]
        known[101].set("off", wait="effect")
        assert virtual.dps()["101"] is False


def test_a_file_describes_devices_and_their_children(virtual_device: Make, tmp_path: Path) -> None:
    gateway = virtual_device("gateway", dps={"1": True}, subs={"c1": {"1": 215, "2": 55}})
    mapping = {"1": number("va_temperature", -200, 600, scale=1, unit="℃"), "2": number("va_humidity", 0, 100)}
    listed: list[dict[str, Any]] = [
        {
            "id": gateway.id,
            "name": "Gateway",
            "key": gateway.local_key,
            "ip": gateway.ip,
            "version": gateway.version,
            "port": gateway.port,
            "category": "wg2",
            "mapping": {"1": flag("switch_alarm_sound")},
        },
        {
            "id": "child-of-gateway",
            "name": "Climate of the cellar",
            "node_id": "c1",
            "sub": True,
            "parent": gateway.id,
            "category": "wsdcg",
            "mapping": mapping,
        },
    ]
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(listed), encoding="utf-8")

    def check(device: Device) -> None:
        sub = device.sub("c1")
        sub.query()
        sensor = sub.sensor("va_temperature")
        assert (sensor.value, sensor.unit, sensor.device_class) == (21.5, "°C", "temperature")
        assert (sensor.device_id, sensor.cid) == ("gateway", "c1")
        assert sub.gateway.sub("c1").entities() == sub.entities()
        with sub.changes() as changes:
            gateway.set_dps({"1": 220}, cid="c1")
            change = changes.recv(5000)
            assert change is not None
            assert (change.entity, change.state, change.is_push) == (sensor, 22.0, True)
            gateway.set_dps({"1": False})
            assert changes.recv(100) is None
        gateway.set_dps({"1": 215}, cid="c1")
        assert device.entities()[0].code == "switch_alarm_sound"

    with Device.from_devices_file(path, "Gateway", address=gateway.address, version=gateway.version) as device:
        check(device)
    [config] = DeviceConfig.load(path)
    assert config.description is not None
    assert (config.description.category, list(config.description.children)) == ("wg2", ["c1"])
    config = config.replace(address=gateway.address)
    with Device(**config) as device:
        check(device)
    with Manager() as manager:
        check(manager.add(**config))
        check(manager[gateway.id])
        assert manager.remove(gateway.id)


def test_a_description_is_an_argument_too(virtual_device: Make, manager: Manager) -> None:
    virtual = virtual_device("lamp", dps=LIGHT_DPS)
    device = manager.add(**virtual.config, description=Description(category="dj", mapping=LIGHT))
    assert manager[virtual.id].light() == device.light()
    with pytest.raises(rustuya.InvalidType, match="cannot be sent"):
        device.describe(mapping=object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(rustuya.InvalidType, match="children"):
        device.describe(children=["c"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_file_of_the_user_replaces_facts(virtual_device: Make, tmp_path: Path) -> None:
    virtual = virtual_device("lamp", dps=LIGHT_DPS)
    path = tmp_path / "overrides.json"
    facts = {"devices": {"lamp": {"light": {"min_kelvin": 2700, "max_kelvin": 5000}}}}
    path.write_text(json.dumps(facts), encoding="utf-8")
    with described(virtual, "dj", LIGHT) as device:
        assert device.describe(overrides=path) is device
        assert (device.light().capabilities.min_kelvin, device.light().capabilities.max_kelvin) == (2700, 5000)
        path.write_text('{"devices": {"lamp": {"dps": {"22": {"scale": "one"}}}}}', encoding="utf-8")
        with pytest.raises(rustuya.ConfigError, match=r"devices\.lamp\.dps\.22\.scale"):
            device.describe(overrides=path)
        with pytest.raises(FileNotFoundError):
            device.describe(overrides=tmp_path / "missing.json")


PROFILE = """
name: Desk lamp
products:
  - id: lampproduct00001
entities:
  - entity: light
    dps:
      - id: 101
        type: boolean
        name: switch
      - id: 102
        type: integer
        name: brightness
        range:
          min: 0
          max: 200
  - entity: text
    name: PIN
    dps:
      - id: 104
        type: string
        name: value
        sensitive: true
        optional: true
"""


def test_a_device_file_of_the_user_makes_entities(virtual_device: Make, tmp_path: Path) -> None:
    virtual = virtual_device("lamp", dps={"101": False, "102": 100, "103": 5})
    folder = tmp_path / "devices"
    folder.mkdir()
    (folder / "desk_lamp.yaml").write_text(PROFILE, encoding="utf-8")
    (folder / "broken.yaml").write_text("- no device file", encoding="utf-8")
    with virtual.device() as device:
        device.wait_ready()
        # Of a directory, only a file that lists the product counts.
        with pytest.raises(rustuya.NoSuchEntity):
            device.describe(profiles=folder).light()
        light = device.describe(product_id="lampproduct00001").light()
        light.turn_on(brightness="50%", wait="effect")
        assert (virtual.dps()["101"], virtual.dps()["102"], light.dps) == (True, 100, (101, 102))
        assert [entity.dps for entity in device.entities()] == [(101, 102), (104,), (103,)]
        with device.changes() as changes:
            virtual.set_dps({"104": "987654"})
            change = changes.recv(5000)
            assert change is not None
            assert (change.state, change.is_secret) == ("987654", True)
            assert "987654" not in repr(change)
    with virtual.device() as device:
        assert device.describe(profiles=folder / "desk_lamp.yaml").light().dps == (101, 102)
        with pytest.raises(rustuya.ConfigError, match=r"broken\.yaml: "):
            device.describe(profiles=folder / "broken.yaml")
        with pytest.raises(rustuya.ConfigError, match="no device file"):
            device.describe(profiles=tmp_path)
        with pytest.raises(FileNotFoundError):
            device.describe(profiles=tmp_path / "missing.yaml")


def test_changes_name_the_entity_and_its_state(lamp: tuple[VirtualDevice, Device]) -> None:
    virtual, device = lamp
    with device.changes() as changes:
        assert changes.recv(timeout_ms=50) is None
        virtual.set_dps({"22": 1000})
        change = changes.recv(5000)
        assert isinstance(change, Change)
        assert change.entity == device.light()
        assert isinstance(change.state, entities.LightState)
        assert (change.state.brightness, change.is_push, change.missed) == (255, True, 0)
        # The same values again are no change.
        virtual.set_dps({"22": 1000})
        virtual.set_dps({"20": True})
        change = changes.recv(5000)
        assert isinstance(change, Change)
        assert isinstance(change.state, entities.LightState)
        assert change.state.is_on is True
    with pytest.raises(rustuya.ClosedError):
        changes.recv()


def test_changes_end_with_the_device(lamp: tuple[VirtualDevice, Device]) -> None:
    virtual, device = lamp
    light = device.light()
    taken: list[Change[Entity]] = []
    begun = device.changes()
    thread = threading.Thread(target=lambda: taken.extend(begun))
    thread.start()
    for level in (500, 600):
        virtual.set_dps({"22": level})
        while not taken or getattr(taken[-1].state, "brightness", None) != light.brightness:
            thread.join(0.01)
    device.close()
    thread.join(10)
    assert not thread.is_alive()
    assert {change.entity.id for change in taken} == {"switch_led"}
    assert list(device.changes()) == []
    with pytest.raises(rustuya.ClosedError):
        taken[0].entity.set("on")


def test_lost_events_are_told_and_states_are_true_after_them(virtual_device: Make) -> None:
    virtual = virtual_device("lamp", dps=LIGHT_DPS)
    device = Device(**virtual.config, backlog_limit=1024, description=Description(category="dj", mapping=LIGHT))
    with device, device.listener() as events:
        device.wait_ready()
        changes = device.changes()
        for level in range(11, 111):
            virtual.set_dps({"22": level, "24": "0" * 12})
        while events.missed == 0 or device.state["22"] != 110:
            events.recv(10)
        found = list(iter(lambda: changes.recv(200), None))
        assert changes.missed > 0
        assert sum(change.missed for change in found) == changes.missed
        assert isinstance(found[-1].state, entities.LightState)
        assert found[-1].state == device.light().state


def test_threads_share_an_entity(lamp: tuple[VirtualDevice, Device]) -> None:
    virtual, device = lamp
    light = device.light()
    failed: list[BaseException] = []

    def work(level: int) -> None:
        try:
            for _ in range(10):
                light.turn_on(brightness=level, wait="ack")
                assert light.is_on
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(level,)) for level in (10, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert virtual.dps()["20"] is True


def test_an_entity_keeps_its_device(virtual_device: Make) -> None:
    virtual = virtual_device("lamp", dps=LIGHT_DPS)
    light = Device(**virtual.config, description=Description(category="dj", mapping=LIGHT)).light()
    assert light.turn_on(wait="ack") is not None


def test_no_text_has_a_secret(lamp: tuple[VirtualDevice, Device]) -> None:
    _, device = lamp
    light = device.light()
    assert repr(light) == "<rustuya.entities.Light 'switch_led' of 'lamp'>"
    config = DeviceConfig("lamp", "127.0.0.1", KEY, description=Description(category="dj", mapping=LIGHT))
    with device.changes() as changes:
        shown = [repr(each) for each in (light, light.state, device, config, config.description, changes)]
    assert not any(KEY in text for text in shown)


def test_asyncio_has_the_same(virtual_device: Make) -> None:
    virtual = virtual_device("lamp", dps=LIGHT_DPS)

    async def run() -> None:
        async with aio.Device(**virtual.config) as device:
            assert device.describe(category="dj", mapping=LIGHT) is device
            await device.wait_ready()
            light = device.light()
            assert type(light).__module__ == "rustuya.entities.aio"
            assert device.entities()[0] == device.entity("switch_led") == light
            assert await light.turn_on(brightness=128, hs=(120, 80), wait="effect") is not None
            assert virtual.dps()["24"] == "0078032001f6"
            assert (light.brightness, light.is_on) == (128, True)
            assert await light.turn_on(color="red") is None
            with pytest.raises(AttributeError):
                light.brightness = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
            with pytest.raises(rustuya.InvalidValue, match="brightness goes"):
                await light.turn_on(brightness=0)
            with pytest.raises(rustuya.NoSuchEntity):
                device.cover()
            await device.query()
            async with device.changes() as changes:
                waiting = asyncio.ensure_future(changes.recv())
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                virtual.set_dps({"20": False})
                change = await changes.recv(5)
                assert change is not None
                assert change.entity == light
                assert type(change.entity).__module__ == "rustuya.entities.aio"
                assert isinstance(change.state, entities.LightState)
                assert change.state.is_on is False
                assert changes.missed == 0
            async for _ in changes:
                pytest.fail("it is closed")
            # A command that is cancelled before it is sent is not sent.
            virtual.unplug()
            turning = asyncio.ensure_future(light.turn_on(brightness=1))
            await asyncio.sleep(0.01)
            turning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await turning

    asyncio.run(run())


@pytest.mark.parametrize("face", ["rustuya.entities", "rustuya.entities.aio"])
def test_every_kind_has_a_class_and_a_method(face: str) -> None:
    kinds = set(entities.__dict__["_CLASSES"])
    owner = Device if face == "rustuya.entities" else aio.Device
    assert len(kinds) == 18
    for kind in kinds:
        assert hasattr(owner, "event_source" if kind == "event" else kind)
        assert hasattr(rustuya.SubDevice, "event_source" if kind == "event" else kind)
