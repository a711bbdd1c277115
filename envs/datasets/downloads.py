"""Download the sets of the catalogue, file by file, each verified before it takes its place. Needs pooch."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from labelchain.envs.datasets.catalogue import MULAN_URL, CatalogueEntry, DataFile
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.loading import UnknownDatasetError, unknown_name
from labelchain.envs.datasets.places import (
    by_hand,
    entry_named,
    find_files,
    is_built_in,
    place_of,
    storage_folder,
)
from labelchain.envs.datasets.storage import has_checksum, record, remove_if_empty
from labelchain.envs.files import grant_usual_access, remove_unfinished, staging_folder

MIRROR_VARIABLE = "LABELCHAIN_MIRROR"
"""The environment variable with an address to download from in place of the original one. The files of a set
are taken from ``<address>/<folder>/<file>``."""
RETRIES = 2
TIMEOUT = 30.0
_CHUNK = 1 << 16
_logger = logging.getLogger("labelchain")


class DownloadError(DatasetError):
    """A download failed; what was there before is untouched, and nothing is left half written."""


Progress = Callable[[DataFile, int], None]
"""Called now and then with the file that is downloaded and how many of its bytes are here."""


def download_dataset(name: str, progress: Progress | None = None) -> Path:
    """Download the files of a set that are missing or damaged, and say so in the log ``labelchain``.

    They go to the folder that ``LABELCHAIN_DATA`` names or else to the cache, by the platform's convention.
    A file takes its place only when it is complete and has its published checksum. A download that was
    stopped goes on with the first file that is missing.

    Args:
        name: A set of the catalogue.
        progress: Told how far the download of each file is.

    Returns:
        The folder of the set.

    Raises:
        UnknownDatasetError: If there is no such set.
        DownloadError: If it is none that can be downloaded, the source cannot be reached or gives other
            files, or the disk is full.
    """
    entry = entry_named(name)
    if is_built_in(name):
        raise DownloadError(f"{name} is built in; there is nothing to get")
    if entry is None:
        if (path := find_files(name)) is not None:
            raise DownloadError(f"{name} is a set of your own, in {path}; there is nothing to get")
        raise UnknownDatasetError(unknown_name(name))
    if not entry.downloads:
        raise DownloadError(f"{entry.name} has no address to download from. {by_hand(entry)}")
    root = storage_folder()
    folder = place_of(entry, root)
    remove_unfinished(folder)  # of a download that was killed
    if missing := [file for file in entry.downloads if not has_checksum(folder / file.name, file)]:
        _logger.info("downloading %s from %s to %s", entry.name, base_address(entry), folder)
        try:
            for file in missing:
                _download(entry, file, folder, progress)
        finally:
            remove_if_empty(folder, root)
    return folder


def base_address(entry: CatalogueEntry) -> str:
    """Where the files of a set are taken from: the original address or the mirror's.

    Raises:
        DownloadError: If the mirror is no address.
    """
    mirror = os.environ.get(MIRROR_VARIABLE) or MULAN_URL
    try:
        parts = urlsplit(mirror)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a host or a port that is none
        is_address = False
    if not is_address:
        raise DownloadError(
            f"{MIRROR_VARIABLE} must be an address such as https://host/folder, got {mirror!r}"
        )
    return f"{mirror.rstrip('/')}/{entry.folder}/"


def _download(entry: CatalogueEntry, file: DataFile, folder: Path, progress: Progress | None) -> None:
    try:
        import pooch  # type: ignore[import-untyped]
        import requests.exceptions
    except ModuleNotFoundError as error:
        raise DownloadError(
            f"downloads need {error.name}: pip install 'labelchain[train]'. {by_hand(entry)}"
        ) from error
    base = base_address(entry)
    url = base + file.name
    try:
        # Pooch's own temporary files would stay where the data are if this process is killed.
        with _quiet(pooch.get_logger()), staging_folder(folder) as staging:
            fetcher = pooch.create(
                path=staging,
                base_url=base,
                registry={file.name: f"sha256:{file.sha256}"},
                retry_if_failed=RETRIES,
            )
            fetcher.fetch(file.name, downloader=_Downloader(file, progress))
            grant_usual_access(staging / file.name)  # pooch writes with mkstemp
            (staging / file.name).replace(folder / file.name)
        record(folder, [file.name])
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else "unknown"
        raise DownloadError(
            f"{entry.name}: {url} answers with the status {status}; try again later. {by_hand(entry)}"
        ) from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise DownloadError(
            f"{entry.name}: the download of {url} broke off, {1 + RETRIES} times; try again. {by_hand(entry)}"
        ) from error
    except requests.exceptions.TooManyRedirects as error:
        raise DownloadError(
            f"{entry.name}: {url} leads from one address to the next without end; try again later, or from "
            f"another address by {MIRROR_VARIABLE}. {by_hand(entry)}"
        ) from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(
            f"{entry.name}: cannot reach {urlsplit(url).netloc}; is this machine offline? {by_hand(entry)}"
        ) from error
    except ValueError as error:
        raise DownloadError(
            f"{entry.name}: what {url} gives is not the published file (its SHA-256 differs); it was cut "
            f"short or changed, and was thrown away. {by_hand(entry)}"
        ) from error
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise DownloadError(
            f"{entry.name}: cannot write {folder / file.name} ({file.size:,} bytes): {reason}; nothing was "
            "left half written"
        ) from error


class _Downloader:
    """Pooch's own leaves the connection open after an accident, and takes a file of any length."""

    def __init__(self, file: DataFile, progress: Progress | None) -> None:
        self._file, self._progress = file, progress

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        import requests

        done = 0
        with requests.get(url, stream=True, timeout=TIMEOUT) as response, open_binary(output_file) as output:
            response.raise_for_status()
            for chunk in response.iter_content(_CHUNK):
                done += len(chunk)
                if done > self._file.size:
                    raise ValueError("longer than the published file")
                output.write(chunk)
                if self._progress is not None:
                    self._progress(self._file, done)


def open_binary(path: str) -> IO[bytes]:
    """The file that a download is written to."""
    return Path(path).open("wb")


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch, whose messages would be written over the progress bar."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
