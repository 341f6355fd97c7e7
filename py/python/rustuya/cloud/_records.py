"""Records of `rustuya.cloud`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import _native
from ..exceptions import ConfigError, InvalidType
from ..models import Record

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Self

    from ..exceptions import CloudError
    from ..typing import CloudChange, CloudProgressKind, CloudRegion, DpMeaning

__all__ = ["CloudDevice", "Note", "Progress", "Project", "QrCode", "Written", "check_callback"]


def check_callback(name: str, given: Any, *, optional: bool = True) -> None:
    """Refuses an argument that is not a function."""
    if not callable(given) and not (optional and given is None):
        raise InvalidType(f"{name} must be a function of one argument, not {type(given).__name__}")


@dataclass(frozen=True, eq=False)
class CloudDevice(Record):
    """A device as the cloud lists it. None stands for a missing field.

    Attributes:
        id: the device id.
        name: the user's name for it.
        local_key: the local key; "" if the cloud has none. `repr` omits it.
        category: category of the product, such as `dj` for lights.
        product_id: id of the product.
        product_name: name of the product.
        model: model of the product.
        mac: hardware address, 12 hex digits.
        uuid: identifier of the hardware.
        sn: serial number.
        is_sub_device: True for a device behind a gateway.
        gateway_id: for a sub-device, the id of its gateway.
        node_id: for a sub-device, its cid at the gateway.
        icon: path of its picture.
        online: True if the cloud reaches it.
        mapping: meaning of its DPs, by DP number as text; None if that is unknown. `repr` omits it.
    """

    id: str
    name: str
    local_key: str = field(repr=False)
    category: str | None
    product_id: str | None
    product_name: str | None
    model: str | None
    mac: str | None
    uuid: str | None
    sn: str | None
    is_sub_device: bool
    gateway_id: str | None
    node_id: str | None
    icon: str | None
    online: bool | None
    mapping: dict[str, DpMeaning] | None = field(repr=False)


@dataclass(frozen=True, eq=False)
class Project(Record):
    """A developer project. As a mapping it holds arguments of `fetch`: ``cloud.fetch(**project)``.

    Args:
        access_id: the project's Access ID.
        access_secret: the project's Access Secret, which `repr` omits.
        region: code of the data centre; "auto" tries all.
        device_ids: ids of devices of the account.
    """

    access_id: str
    access_secret: str = field(repr=False)
    region: CloudRegion | str = "auto"
    device_ids: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str | PathLike[str] = "tinytuya.json") -> Self:
        """Reads the project from a `tinytuya.json`, in which tinytuya's wizard keeps it.

        Args:
            path: the file.

        Returns:
            The project.

        Raises:
            OSError: the file cannot be read.
            ConfigError: it is not such a file, or lacks the Access ID or the Access Secret.
            InvalidType: the path is of another type.
        """
        access_id, access_secret, region, device_ids = _native.stored_project(path)
        if access_id is None or access_secret is None:
            missing = "apiKey, the Access ID" if access_id is None else "apiSecret, the Access Secret"
            raise ConfigError(f"the file of the project lacks {missing}")
        return cls(access_id, access_secret, region or "auto", tuple(device_ids))


@dataclass(frozen=True, eq=False)
class Note(Record):
    """Failure of one request. The others succeeded.

    Attributes:
        about: name of the device or product; "" for a list.
        error: the reason, with advice.
    """

    about: str
    error: CloudError


@dataclass(frozen=True, eq=False)
class QrCode(Record):
    """QR code for the app to scan. It is valid for five minutes. `repr` omits it: it is enough to log in.

    Attributes:
        text: the text of the code, to be drawn with error correction of level Q.
        drawing: the code in block characters, several lines, for a dark terminal.
    """

    text: str = field(repr=False)
    drawing: str = field(repr=False)


@dataclass(frozen=True, eq=False)
class Progress(Record):
    """Step of a fetch. `str` gives it in words.

    Attributes:
        kind: kind of the step.
        text: the step in words.
        place: for "trying", "refused" and "accepted": the data centre.
        error: for "refused" and "waiting": the reason.
        seconds: for "waiting": time until the request is repeated; for "clock": the cloud's clock less that of this
            computer; in seconds.
        count: for "devices": number of devices so far; for "product": number of this product, from 1.
        total: for "product": number of products.
        code: for "code": the QR code; it replaces the one before.
    """

    kind: CloudProgressKind
    text: str
    place: str | None = None
    error: CloudError | None = None
    seconds: float | None = None
    count: int | None = None
    total: int | None = None
    code: QrCode | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Written(Record):
    """Result of bringing a `devices.json` up to date.

    Attributes:
        changes: kind of change of each device of the cloud, by its id.
        new: number of devices that are new in the file.
        kept: number of devices of the file that the cloud does not list. They stay.
    """

    changes: dict[str, CloudChange]
    new: int
    kept: int
