"""Tests local keys from the vendor's cloud, against the repository's stand-in for it."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import inspect
import json
import logging
import os
import pickle
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import rustuya
from rustuya import cloud
from rustuya.cloud import Fetched, Progress, QrCode
from rustuya.cloud import aio as aio_cloud
from rustuya.models import DiscoveredDevice

from .conftest import free_ports
from .fake_cloud import HOMES, FakeCloud, ignore, needs_cloud

GUIDE = Path(__file__).parents[2] / "docs" / "keys.md"
pytestmark = needs_cloud


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fetch(face: str, **arguments: Any) -> Fetched:
    if face == "asyncio":
        return asyncio.run(aio_cloud.fetch(**arguments))
    return cloud.fetch(**arguments)


def fetch_with_app(face: str, **arguments: Any) -> Fetched:
    if face == "asyncio":
        return asyncio.run(aio_cloud.fetch_with_app(**arguments))
    return cloud.fetch_with_app(**arguments)


def changed(arguments: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**arguments, **others}


def kinds(steps: list[Progress]) -> list[str]:
    return list(dict.fromkeys(step.kind for step in steps))


def test_a_project_gives_keys_children_addresses_and_meanings(fake: FakeCloud, face: str) -> None:
    steps: list[Progress] = []
    fetched = fetch(face, region="eu", progress=steps.append, **fake.project)
    wanted = {device["id"]: device for device in fake.told["devices"]}
    assert [device.id for device in fetched.devices] == list(wanted)
    assert len(fetched) == len(wanted)
    for device in fetched.devices:
        assert device.local_key == wanted[device.id]["local_key"]
        assert device.product_id == wanted[device.id]["product_id"]
        assert device.is_sub_device == wanted[device.id].get("sub", False)
    lamp, child = fetched.devices[0], fetched.devices[5]
    assert (lamp.name, lamp.mac, lamp.category) == ("Desk lamp", "105a17000001", "dj")
    assert (child["gateway_id"], child.node_id, child.mac) == (fetched.devices[4].id, "a4c138fffe000001", None)
    assert lamp.mapping is not None
    assert lamp.mapping["20"] == {"code": "switch_led", "type": "Boolean", "values": {}}
    assert fetched.devices[4].mapping == {}
    assert (fetched.region, fetched.calls) == ("eu", len(fake.calls()))
    assert abs(fetched.clock_offset) < 5
    assert [note.error.cloud_code for note in fetched.notes] == [2009]
    assert "DP Instruction" in str(fetched.notes[0].error)
    assert kinds(steps) == ["trying", "accepted", "devices", "product"]
    last = steps[-1]
    assert (last.count, last.total, str(last)) == (8, 8, "what DPs mean: product 8 of 8")
    assert len(fake.calls("associated-users")) == 3, "pages of four"


def test_a_qr_code_gives_the_same_and_logs_out(fake: FakeCloud, face: str) -> None:
    fake.order(scan_after=1)
    codes: list[QrCode] = []
    steps: list[Progress] = []
    fetched = fetch_with_app(face, show=codes.append, progress=steps.append, **fake.app)
    assert {device.id: device.local_key for device in fetched.devices} == {
        device["id"]: device["local_key"] for device in fake.told["devices"]
    }
    (code,) = codes
    assert code.text.startswith("tuyaSmart--qrLogin?token=qr")
    lines = code.drawing.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert set(code.drawing) <= set("█▀▄ \n")
    assert set(lines[0]) == {"█"}
    assert code.text not in repr(code) + str(code) + repr(steps)
    assert kinds(steps) == ["code", "logged_in", "devices", "product", "logged_out"]
    assert not fake.is_logged_in
    assert fetched.region is None


def test_a_callback_of_the_loop_may_wait(fake: FakeCloud) -> None:
    seen: list[str] = []

    async def slow(step: Progress) -> None:
        await asyncio.sleep(0.001)
        seen.append(step.kind)

    async def show(code: QrCode) -> None:
        await asyncio.sleep(0)
        seen.append(code.text)

    fake.order(scan_after=1)
    asyncio.run(aio_cloud.fetch_with_app(show=show, progress=slow, **fake.app))
    assert seen[0] == "code"
    assert seen[1].startswith("tuyaSmart")
    assert seen[-1] == "logged_out"


def test_the_file_is_brought_up_to_date(fake: FakeCloud, tmp_path: Path) -> None:
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([{"id": "sold", "name": "Old", "key": "k"}]), encoding="utf-8")
    heard = [DiscoveredDevice("bf00000000000000000001", "192.0.2.5", "3.4", None)]
    written = cloud.fetch(**fake.project).write(path, heard=heard)
    assert (written.new, written.kept, set(written.changes.values())) == (9, 1, {"new"})
    listed = json.loads(path.read_text(encoding="utf-8"))
    assert (listed[0]["id"], listed[1]["ip"], listed[1]["version"]) == ("sold", "192.0.2.5", "3.4")
    assert path.read_text(encoding="utf-8").startswith('[\n    {\n        "id": "sold"')
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asked = len(fake.calls("/specifications"))

    fake.order(set={"device": 0, "field": "local_key", "value": "an0ther_key_0001"})
    again = cloud.fetch(known=path, **fake.project)
    changes = again.write(path).changes
    assert changes["bf00000000000000000001"] == "key"
    assert list(changes.values()).count("same") == 8
    assert len(fake.calls("/specifications")) == asked + 2, "only of products without DPs"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["ca.pem", "devices.json"]
    # The other parts of the package read it.
    loaded = {config.id: config for config in rustuya.DeviceConfig.load(path)}
    assert loaded["bf00000000000000000001"].local_key == "an0ther_key_0001"

    path.write_text("{}", encoding="utf-8")
    with pytest.raises(rustuya.ConfigError, match="is not replaced"):
        again.write(path)
    assert path.read_text(encoding="utf-8") == "{}"
    with pytest.raises(OSError, match="nowhere"):
        again.write(tmp_path / "nowhere" / "devices.json")
    with pytest.raises(rustuya.InvalidType, match="heard must be several DiscoveredDevice"):
        again.write(path, heard=[5])  # type: ignore[list-item]


def test_a_project_is_read_from_the_file_of_tinytuya(fake: FakeCloud, tmp_path: Path) -> None:
    path = tmp_path / "tinytuya.json"
    stored = {"apiKey": fake.told["access_id"], "apiSecret": fake.told["access_secret"], "apiRegion": "us"}
    path.write_text(json.dumps({**stored, "apiDeviceID": "bf0, bf1"}), encoding="utf-8")
    project = cloud.Project.load(path)
    assert dict(project) == {
        "access_id": fake.told["access_id"],
        "access_secret": fake.told["access_secret"],
        "region": "us",
        "device_ids": ("bf0", "bf1"),
    }
    assert fake.told["access_secret"] not in repr(project)
    fetched = cloud.fetch(endpoint=fake.url, ca_file=fake.ca_file, **project)
    assert (fetched.region, len(fetched)) == ("us", 9)
    path.write_text(json.dumps({**stored, "apiSecret": "", "apiRegion": "mars"}), encoding="utf-8")
    with pytest.raises(rustuya.ConfigError, match="lacks apiSecret"):
        cloud.Project.load(path)
    path.write_text(fake.told["access_secret"], encoding="utf-8")
    with pytest.raises(rustuya.ConfigError, match="no JSON object") as caught:
        cloud.Project.load(path)
    assert fake.told["access_secret"] not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        cloud.Project.load(tmp_path / "missing.json")


def test_meanings_can_be_left_out(fake: FakeCloud) -> None:
    fetched = cloud.fetch(mappings=False, **fake.project)
    assert [device.mapping for device in fetched.devices] == [None] * 9
    assert not fake.calls("/specifications")


REFUSALS = [
    (1004, rustuya.CloudCredentialsError, "Access Secret", 909),
    (1005, rustuya.CloudCredentialsError, "Access ID", 909),
    (1106, rustuya.CloudAccountError, "owner", 913),
    (2007, rustuya.CloudAccountError, "country", 913),
    (2406, rustuya.CloudAccountError, "unlink", 913),
    (1114, rustuya.CloudAddressError, "IP allowlist", 913),
    (28841001, rustuya.CloudServiceError, "IoT Core", 913),
    (28841101, rustuya.CloudServiceError, "Smart Home Basic Service", 913),
    (28841105, rustuya.CloudServiceError, "Go to Authorize", 913),
    (28841106, rustuya.CloudServiceError, "pop-ups", 913),
    (28841002, rustuya.CloudPlanExpired, "Extend Trial Period", 913),
    (28841107, rustuya.CloudPlanExpired, "add it again", 913),
    (28841004, rustuya.CloudQuotaUsed, "next month", 913),
    (1108, rustuya.CloudAnswerError, "report it", 910),
    (77, rustuya.CloudError, "support", 913),
]


def test_every_refusal_has_its_class_and_advice(fake: FakeCloud, face: str) -> None:
    for cloud_code, kind, advice, code in REFUSALS:
        fake.fail("/v1.0/token", {"code": cloud_code})
        with pytest.raises(rustuya.CloudError) as caught:
            fetch(face, region="eu", **fake.project)
        error = caught.value
        assert type(error) is kind, cloud_code
        assert (error.cloud_code, error.code) == (cloud_code, code)
        assert advice in error.advice
        assert str(error).endswith(error.advice)
        assert error.tid == "00112233445566778899aabbccddeeff"
        assert "\x1b" not in str(error)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_every_data_centre_is_tried_in_order(fake: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        """A proxy that lets nothing through, so that nothing leaves this computer."""

        def do_CONNECT(self) -> None:  # the name that the base class calls
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        steps: list[Progress] = []
        with pytest.raises(rustuya.CloudUnreachable) as caught:
            cloud.fetch(fake.told["access_id"], fake.told["access_secret"], ca_file=fake.ca_file, progress=steps.append)
        proxy.shutdown()
    names = ["Central Europe", "Western America", "China", "India", "Singapore", "Eastern America", "Western Europe"]
    assert list(caught.value.tried) == names
    assert {type(error) for error in caught.value.tried.values()} == {rustuya.CloudUnreachable}
    assert [step.place for step in steps if step.kind == "trying"] == names
    hosts = ["tuyaeu.com", "tuyaus.com", "tuyacn.com", "tuyain.com", "iotbing.com", "tuyaus.com", "tuyaeu.com"]
    assert [host.split(":")[0].split(".", 1)[1] for host in dict.fromkeys(asked)] == hosts
    assert "check the connection" in caught.value.advice


def test_the_token_is_renewed_once(fake: FakeCloud, face: str) -> None:
    fake.fail("/v1.3", {"code": 1010})
    steps: list[Progress] = []
    assert len(fetch(face, progress=steps.append, **fake.project)) == 9
    assert "token_renewed" in kinds(steps)
    assert len(fake.calls("/v1.0/token")) == 2
    fake.fail("/v1.0/iot-01", {"code": 1010}, 2)
    with pytest.raises(rustuya.CloudTokenError, match="another program"):
        fetch(face, **fake.project)


def test_tokens_of_a_login_are_renewed(fake: FakeCloud) -> None:
    fake.order(scan_after=1, account={"login_lives": 30})
    assert len(cloud.fetch_with_app(show=ignore, **fake.app)) == 9
    assert fake.calls("/v1.0/m/token/rt")
    assert not fake.is_logged_in


def test_what_is_not_the_cloud_is_told_from_it(fake: FakeCloud) -> None:
    unreachable: list[Any] = ["half", "close", "silence"]
    for fault in unreachable:
        fake.fail("/v1.0/token", fault, 2)
        with pytest.raises(rustuya.CloudUnreachable) as caught:
            cloud.fetch(timeout=0.5, **fake.project)
        assert isinstance(caught.value, ConnectionError)
        assert caught.value.code == 901
    odd: list[Any] = [("html", 1), ("cut", 2), ({"result": {}}, 1)]
    for fault, times in odd:
        fake.fail("/v1.0/token", fault, times)
        with pytest.raises(rustuya.CloudAnswerError):
            cloud.fetch(**fake.project)
    # One failure is made up for.
    fake.fail("/v1.3", {"status": 429, "retry_after": 1})
    steps: list[Progress] = []
    assert len(cloud.fetch(progress=steps.append, **fake.project)) == 9
    (waiting,) = [step for step in steps if step.kind == "waiting"]
    assert waiting.seconds == 1
    assert isinstance(waiting.error, rustuya.CloudBusy)
    fake.order(skew=3_600_000)
    fetched = cloud.fetch(progress=steps.append, **fake.project)
    assert 3590 < fetched.clock_offset < 3610
    assert any(step.kind == "clock" and step.seconds and step.seconds > 3590 for step in steps)
    fake.order(skew=0)
    fake.fail("/v1.0/iot-01", {"result": {"devices": [], "has_more": False}})
    with pytest.raises(rustuya.CloudAccountError, match="lists no devices"):
        cloud.fetch(**fake.project)
    fake.fail("/v1.0/token", {"code": 1013}, 2)
    with pytest.raises(rustuya.CloudClockError, match="set this computer's clock"):
        cloud.fetch(**fake.project)


def test_certificates_that_are_not_trusted_are_refused(fake: FakeCloud, tmp_path: Path) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = FakeCloud(other_folder)
    with pytest.raises(rustuya.CloudUnreachable, match="certificate is not accepted"):
        cloud.fetch(**changed(fake.project, ca_file=other.ca_file))
    other.close()
    (tmp_path / "empty.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(rustuya.ConfigError, match="no certificates"):
        cloud.fetch(**changed(fake.project, ca_file=tmp_path / "empty.pem"))
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        cloud.fetch(**changed(fake.project, ca_file=tmp_path / "missing.pem"))


def test_refusals_of_the_app_s_way(fake: FakeCloud, face: str) -> None:
    with pytest.raises(rustuya.CloudLoginError, match="user code"):
        fetch_with_app(face, show=print, **changed(fake.app, user_code="other"))
    fake.order(scan_after=1)
    fake.fail(HOMES, {"code": 1106})
    with pytest.raises(rustuya.CloudAccountError):
        fetch_with_app(face, show=ignore, **fake.app)
    assert not fake.is_logged_in, "it has logged out"
    fake.fail(HOMES, {"code": 1010})
    with pytest.raises(rustuya.CloudLoginError, match="log in again"):
        fetch_with_app(face, show=ignore, **fake.app)


def test_the_failure_of_a_callback_ends_it_with_a_logout(fake: FakeCloud, face: str) -> None:
    fake.order(scan_after=1)

    def progress(step: Progress) -> None:
        if step.kind == "logged_in":
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fetch_with_app(face, show=ignore, progress=progress, **fake.app)
    assert not fake.is_logged_in
    assert len(fake.calls("terminal/expire")) == 1


def test_secrets_are_in_no_text(fake: FakeCloud, capfd: pytest.CaptureFixture[str], caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    rustuya.set_log_level(logging.DEBUG)
    texts: list[str] = []
    fetched = cloud.fetch(progress=lambda step: texts.extend((str(step), repr(step))), **fake.project)
    fake.order(scan_after=1)
    by_app = cloud.fetch_with_app(
        show=lambda code: texts.append(repr(code)), progress=lambda step: texts.append(repr(step)), **fake.app
    )
    for each in (fetched, by_app):
        texts += [repr(each), str(each), repr(each.devices), repr(each.notes), *map(str, each.notes)]
    faults: list[Any] = [{"code": 1004}, {"code": 1106}, "html", {"result": {}}]
    for fault in faults:
        fake.fail("/v1.0/token", fault)
        with pytest.raises(rustuya.CloudError) as caught:
            cloud.fetch(**fake.project)
        texts += [str(caught.value), repr(caught.value), repr(vars(caught.value))]
    with pytest.raises(rustuya.CloudCredentialsError) as caught:
        cloud.fetch(**changed(fake.project, access_secret="hunter2hunter2ab"))
    texts += [str(caught.value), "hunter3hunter3ab" if "hunter2" in str(caught.value) else ""]
    with pytest.raises(rustuya.ConfigError) as refused:
        cloud.fetch(**changed(fake.project, region=fake.told["access_secret"][:16]))
    texts.append(str(refused.value))
    rustuya.set_log_level(logging.WARNING)
    out, err = capfd.readouterr()
    texts += [out, err, *(record.getMessage() for record in caplog.records)]
    everything = "\n".join(texts)
    private = [*fake.told["private"], fake.told["access_secret"][:16], "hunter2", "hunter3", "tuyaSmart--qrLogin"]
    assert len(private) > 10
    assert [text for text in private if text in everything] == []


def test_arguments_are_checked_before_anything_is_sent(fake: FakeCloud) -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"access_id": 5}, rustuya.InvalidType, "access_id must be text, not int"),
        ({"access_secret": b"x"}, rustuya.InvalidType, "access_secret must be text, not bytes"),
        ({"region": "mars"}, rustuya.ConfigError, "no such data centre"),
        ({"region": None}, rustuya.InvalidType, "region must be text"),
        ({"device_ids": "abc"}, rustuya.InvalidType, "device_ids must be ids of devices"),
        ({"known": 5}, rustuya.InvalidType, "known must be a path"),
        ({"known": fake.ca_file}, rustuya.ConfigError, "no list of devices"),
        ({"mappings": 1}, rustuya.InvalidType, "mappings must be True or False"),
        ({"progress": 5}, rustuya.InvalidType, "progress must be a function of one argument, not int"),
        ({"endpoint": "http://127.0.0.1:1"}, rustuya.ConfigError, "endpoint must begin with https"),
        ({"endpoint": 5}, rustuya.InvalidType, "endpoint must be text"),
        ({"ca_file": 5}, rustuya.InvalidType, "ca_file must be a path"),
        ({"timeout": "1"}, rustuya.InvalidType, "timeout must be a number of seconds"),
        ({"timeout": float("nan")}, rustuya.InvalidValue, "timeout must be a number of seconds"),
    ]
    for given, kind, words in wrong:
        for face in ("threads", "asyncio"):
            with pytest.raises(kind, match=words):
                fetch(face, **changed(fake.project, **given))
    for given, words in (({"client_id": 5}, "client_id must be text"), ({"show": 5}, "show must be a function")):
        for face in ("threads", "asyncio"):
            with pytest.raises(rustuya.InvalidType, match=words):
                fetch_with_app(face, **{**fake.app, "show": print, **given})
    assert not fake.calls()


def test_regions_are_those_of_the_engine() -> None:
    for region in ("ay", "AZ", "ue", "ea", "we"):
        with pytest.raises(rustuya.ConfigError, match="endpoint"):
            cloud.fetch("id", "secret", region=region, endpoint="nowhere")


def test_both_faces_take_the_same_arguments() -> None:
    for name in ("fetch", "fetch_with_app"):
        one, other = (inspect.signature(getattr(module, name)) for module in (cloud, aio_cloud))
        assert [str(each) for each in one.parameters.values()] == [str(each) for each in other.parameters.values()]


@pytest.mark.skipif(os.name != "posix", reason="there are no such terminals")
def test_the_wizard_asks_for_what_is_missing_and_hides_the_secret(fake: FakeCloud, tmp_path: Path) -> None:
    import pty  # only there

    main, side = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "TUYA_ACCESS_SECRET"}
    command = [sys.executable, "-m", "rustuya", "wizard", "--no-scan", "--endpoint", fake.url, "--ca-file", "ca.pem"]
    child = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, cwd=tmp_path, env=environment)
    os.close(side)
    shown = b""

    def until(words: bytes) -> None:
        nonlocal shown
        while words not in shown:
            shown += os.read(main, 4096)

    until(b"Access ID of the developer project: ")
    os.write(main, fake.told["access_id"].encode() + b"\n")
    until(b"is not shown): ")
    os.write(main, fake.told["access_secret"].encode() + b"\r")
    until(b"9 devices, 9 new, 9 with a key")
    # On Linux the end of the other side is an error.
    with contextlib.suppress(OSError):
        while chunk := os.read(main, 4096):
            shown += chunk
    assert child.wait(30) == 0
    os.close(main)
    assert fake.told["access_id"].encode() in shown
    assert [text for text in fake.told["private"] if text.encode() in shown] == []
    assert len(json.loads((tmp_path / "devices.json").read_text(encoding="utf-8"))) == 9


@pytest.mark.skipif(not GUIDE.exists(), reason="the source distribution has no such page")
def test_the_guide_runs(
    fake: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUYA_ACCESS_SECRET", fake.told["access_secret"])
    where = f"endpoint={fake.url!r}, ca_file={str(fake.ca_file)!r}"
    scanner = f"Scanner().ports({free_ports()!r}).bind_address('127.0.0.1').active(False).timeout(0.1)"
    exec(first.replace("progress=print", f"progress=print, {where}").replace("Scanner().timeout(18)", scanner), {})
    said = capsys.readouterr().out
    assert "what DPs mean: product 8 of 8" in said
    assert "Front door Contact sensor key bf00000000000000000005" in said
    assert "'bf00000000000000000001': 'new'" in said
    fake.order(scan_after=1)
    names = {name: fake.told[name] for name in ("client_id", "schema", "user_code")}
    exec(second.replace("show=", f"{where}, show="), names)
    assert "█" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "devices.json").read_text(encoding="utf-8"))) == 9
