"""What `meshrec doctor` learns of the backend's environment."""

import sys
from unittest import mock

from blender_meshrec.backend import describe_environment


def test_a_module_that_fails_in_any_way_is_named(tmp_path, monkeypatch):
    (tmp_path / "audible.py").write_text("raise RuntimeError('no sound system')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(describe_environment, "REQUIRED_MODULES", {"audible": "Audible", "nowhere_to_be_found": "Nowhere", "json": "json"})
    found = describe_environment.describe_environment()
    assert found["missing"] == {"Audible": "RuntimeError: no sound system", "Nowhere": "No module named 'nowhere_to_be_found'"}
    assert list(found["versions"]) == ["json"] and found["devices"] == []


def test_mediapipe_is_imported_without_the_sound_system(tmp_path, monkeypatch):
    package = tmp_path / "mediapipe"
    package.mkdir()
    (package / "__init__.py").write_text("try:\n    import sounddevice\nexcept ImportError:\n    sounddevice = None\n__version__ = '1'\n")
    (tmp_path / "sounddevice.py").write_text("raise RuntimeError('Error initializing PortAudio')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(describe_environment, "REQUIRED_MODULES", {"mediapipe": "mediapipe"})
    with mock.patch.dict(sys.modules):
        for name in [name for name in sys.modules if name.split(".")[0] in ("mediapipe", "sounddevice")]:
            del sys.modules[name]
        assert describe_environment.describe_environment()["versions"] == {"mediapipe": "1"}
