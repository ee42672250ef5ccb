"""Packages and locks made on the spot: an index that needs no network."""

import hashlib
import zipfile


def make_wheel(folder, name, version="1.0", files=None, python="py3"):
    """Write a wheel that pip installs; `files` {path: text}, a module of the package's name by default. Gives its path."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    contents = dict(files or {f"{module}.py": f"version = {version!r}\n"})
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {python}-none-any\n"
    record = "".join(f"{path},,\n" for path in (*contents, f"{info}/RECORD"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-{python}-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**contents, f"{info}/RECORD": record}.items():
            archive.writestr(inside, text)
    return path


def lock_entry(path, marker="", digest=None):
    """A lock's lines for a wheel; `digest`: another than its own."""
    name, version = path.name.split("-")[:2]
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name.replace('_', '-')}=={version}{f' ; {marker}' if marker else ''} \\\n    --hash=sha256:{digest}\n"


def write_locks(folder, torch=(), cpu=(), backend=(), installer=()):
    """Locks of these entries, as `build.py lock` leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    locks = {"installer": installer, "torch": torch, "torch-cpu": cpu, "backend": backend}
    for name, entries in locks.items():
        (folder / f"{name}.txt").write_text("# a comment\n" + "".join(entries))
    return folder
