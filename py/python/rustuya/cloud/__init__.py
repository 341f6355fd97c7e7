"""Local keys and the meaning of DPs from the vendor's cloud: fetched once, into a `devices.json`.

There are two ways: :func:`fetch` with a developer project of yours, and :func:`fetch_with_app` with a QR code that the
app scans. :mod:`rustuya.cloud.aio` has both for asyncio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _native
from .._native import Fetched
from ._records import CloudDevice, Note, Progress, Project, QrCode, Written, check_callback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from ..typing import CloudRegion

__all__ = ["CloudDevice", "Fetched", "Note", "Progress", "Project", "QrCode", "Written", "fetch", "fetch_with_app"]


def fetch(
    access_id: str,
    access_secret: str,
    *,
    region: CloudRegion | str = "auto",
    device_ids: Iterable[str] = (),
    known: str | PathLike[str] | None = None,
    mappings: bool = True,
    progress: Callable[[Progress], object] | None = None,
    endpoint: str | None = None,
    ca_file: str | PathLike[str] | None = None,
    timeout: float = 20.0,
) -> Fetched:
    """Fetches the devices of a developer project, with keys, gateways, hardware addresses and the meaning of DPs.

    Waits without the GIL. Ctrl-C ends it.

    Args:
        access_id: the project's Access ID.
        access_secret: the project's Access Secret.
        region: code of the data centre; "auto" tries all.
        device_ids: ids of devices of the account: helps if the list of all is refused.
        known: a `devices.json`; products whose DPs it describes are not asked for, which saves calls of the quota.
        mappings: True to ask for the meaning of DPs.
        progress: a function of one argument, the `Progress`, called in this thread.
        endpoint: another address instead of the data centre's, such as that of a proxy: `https://HOST[:PORT]`.
        ca_file: a file of certificates in PEM form to trust instead of the system's.
        timeout: time limit of one request, in seconds.

    Returns:
        The devices, as `Fetched`.

    Raises:
        CloudError: the cloud did not give the devices; its subclasses tell what helps.
        ConfigError: the region, the endpoint or a file is invalid.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
        OSError: a file cannot be read.
    """
    check_callback("progress", progress)
    run = _native.CloudRun.project(
        access_id,
        access_secret,
        region=region,
        device_ids=device_ids,
        known=known,
        mappings=mappings,
        endpoint=endpoint,
        ca_file=ca_file,
        timeout=timeout,
    )
    return _follow(run, progress, None)


def fetch_with_app(
    client_id: str,
    schema: str,
    user_code: str,
    show: Callable[[QrCode], object],
    *,
    known: str | PathLike[str] | None = None,
    progress: Callable[[Progress], object] | None = None,
    endpoint: str | None = None,
    ca_file: str | PathLike[str] | None = None,
    timeout: float = 20.0,
) -> Fetched:
    """Fetches the devices of an app's account: the app scans a QR code. Logs out again, whatever happens.

    Waits without the GIL. Ctrl-C ends it, after the logout.

    Args:
        client_id: the client id that the vendor gave out. This package has none of its own.
        schema: the schema that belongs to it.
        user_code: the user code that the app shows: Me > Settings > Account and Security > User Code.
        show: a function of one argument, the `QrCode`, called in this thread: `lambda code: print(code.drawing)`. It is
            called again if nobody scans the code within five minutes, three times at most.
        known: a `devices.json`; products whose DPs it describes are not asked for.
        progress: a function of one argument, the `Progress`, called in this thread.
        endpoint: another address instead of the vendor's, such as that of a proxy: `https://HOST[:PORT]`.
        ca_file: a file of certificates in PEM form to trust instead of the system's.
        timeout: time limit of one request, in seconds.

    Returns:
        The devices, as `Fetched`.

    Raises:
        CodeNotScanned: nobody scanned the code.
        CloudError: the cloud did not give the devices; its subclasses tell what helps.
        ConfigError: the endpoint or a file is invalid.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
        OSError: a file cannot be read.
    """
    check_callback("progress", progress)
    check_callback("show", show, optional=False)
    run = _native.CloudRun.app(
        client_id, schema, user_code, known=known, endpoint=endpoint, ca_file=ca_file, timeout=timeout
    )
    return _follow(run, progress, show)


def _follow(
    run: _native.CloudRun, progress: Callable[[Progress], object] | None, show: Callable[[QrCode], object] | None
) -> Fetched:
    try:
        while True:
            step = run.next()
            if isinstance(step, Fetched):
                return step
            if progress is not None:
                progress(step)
            if show is not None and step.code is not None:
                show(step.code)
    finally:
        run.close()
