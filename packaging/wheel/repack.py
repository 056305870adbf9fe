"""Puts a program into a wheel: repack.py BINARY DIST. Only the standard library."""

import base64
import hashlib
import pathlib
import platform
import re
import sys
import tomllib
import zipfile


def main(binary: pathlib.Path, dist: pathlib.Path) -> None:
    project = pathlib.Path(__file__).parents[2]
    package = tomllib.loads((project / "Cargo.toml").read_text())["package"]
    python = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    name, version = package["name"].replace("-", "_"), package["version"]
    program = binary.read_bytes()
    glibc = max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", program))
    tag = f"py3-none-manylinux_2_{glibc}_{platform.machine()}"
    metadata = (
        f"Metadata-Version: 2.4\nName: {package['name']}\nVersion: {version}\n"
        f"Summary: {package['description']}\nLicense-Expression: {package['license']}\nLicense-File: LICENSE\n"
        f"Keywords: {','.join(package['keywords'])}\n"
        f"Author: {python['authors'][0]['name']}\nRequires-Python: {python['requires-python']}\n"
        + "".join(f"Classifier: {one}\n" for one in python["classifiers"])
        + "Description-Content-Type: text/markdown\n\n" + (project / "README.md").read_text()
    )
    wheel = f"Wheel-Version: 1.0\nGenerator: repack.py\nRoot-Is-Purelib: false\nTag: {tag}\n"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}-{version}.data/scripts/{package['name']}": program,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": wheel.encode(),
        f"{info}/licenses/LICENSE": (project / "LICENSE").read_bytes(),
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}\n"
        for path, data in files.items()
    )
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    target = dist / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
