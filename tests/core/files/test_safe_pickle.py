"""Official body files are read completely; malicious ones are refused before anything is executed."""

import pickle
import struct

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files.pickle_stubs import UnreadValue
from blender_meshrec.core.files.safe_pickle import read_model_pickle
from tests.support.python2_pickle import Chumpy, Csc, dumps
from tests.support.synthetic_template import smpl_arrays


def read(tmp_path, content):
    path = tmp_path / "body.pkl"
    path.write_bytes(content)
    return read_model_pickle(path)


def official_content(arrays):
    """The layout of basicmodel_*_lbs_10_207_0_*.pkl: shapedirs, posedirs, weights and v_template in chumpy objects."""
    shuffled = np.random.default_rng(0).permutation(arrays["posedirs"].size)
    return {
        "J_regressor": Csc(arrays["J_regressor"]),
        "J_regressor_prior": Csc(arrays["J_regressor"]),
        "f": arrays["f"],
        "kintree_table": arrays["kintree_table"],
        "J": Chumpy(x=arrays["v_template"][:24]),
        "v_template": Chumpy(x=arrays["v_template"]),
        "weights": Chumpy(x=np.asfortranarray(arrays["weights"])),
        "shapedirs": Chumpy(x=arrays["shapedirs"]),
        "posedirs": Chumpy(
            "chumpy.reordering Select",
            a=Chumpy(x=arrays["posedirs"].ravel()[shuffled]),
            idxs=np.argsort(shuffled),
            preferred_shape=arrays["posedirs"].shape,
        ),
        "bs_style": "lbs",
        "vert_sym_idxs": np.arange(len(arrays["v_template"])),
    }


@pytest.mark.parametrize("protocol", [0, 2])
def test_official_layout_gives_the_written_arrays(tmp_path, protocol):
    arrays = smpl_arrays(vertices=60)
    found = read(tmp_path, dumps(official_content(arrays), protocol))
    for key, expected in arrays.items():
        assert np.array_equal(found[key], expected), key
    assert found["bs_style"] == "lbs"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["csc_matrix", "csr_matrix", "coo_matrix", "csr_array", "coo_array"])
def test_python_3_pickles_read_as_with_pickle(tmp_path, protocol, kind):
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(5, 9)) * (rng.uniform(size=(5, 9)) < 0.3)
    content = {
        "sparse": getattr(scipy.sparse, kind)(dense),
        "big_endian": rng.normal(size=(2, 3)).astype(">f4"),
        "fortran": np.asfortranarray(rng.normal(size=(4, 3))),
        "scalar": np.float64(1.5),
        "empty": np.zeros((0, 3), np.int16),
        "flags": np.array([True, False]),
        "names": ["pelvis", "Kopf ü", "頭"],
        "nested": {"a": (1, -2, 10**12, None, True, 0.25)},
    }
    found = read(tmp_path, pickle.dumps(content, protocol=protocol))
    assert np.array_equal(found["sparse"], dense)
    for key in ("big_endian", "fortran", "scalar", "empty", "flags"):
        assert np.array_equal(found[key], content[key]) and np.shape(found[key]) == np.shape(content[key]), key
    assert found["names"] == content["names"]
    assert found["nested"] == {"a": [1, -2, 10**12, None, True, 0.25]}


def test_the_skel_sample_reads_as_with_pickle(shared_vectors):
    path = shared_vectors / "skel_small_male.pkl"
    found, expected = read_model_pickle(path), pickle.loads(path.read_bytes())  # noqa: S301 - our own sample
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert np.array_equal(found[key], value.toarray() if scipy.sparse.issparse(value) else value), key


class Call:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


DTYPE = b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
MALICIOUS = {
    "GLOBAL os.system": b"cos\nsystem\n(S'touch {mark}'\ntR.",
    "GLOBAL posix.system": b"cposix\nsystem\n(S'touch {mark}'\ntR.",
    "STACK_GLOBAL": b"\x80\x04" + text("os") + text("system") + b"\x93" + b"(S'touch {mark}'\ntR.",
    "REDUCE of builtins.eval": b'c__builtin__\neval\n(S\'open("{mark}", "w")\'\ntR.',
    "REDUCE of builtins.exec": b'cbuiltins\nexec\n(S\'open("{mark}", "w")\'\ntR.',
    "builtins.open": b"cbuiltins\nopen\n(S'{mark}'\nS'w'\ntR.",
    "getattr chain": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
    "dotted name": b"\x80\x04" + text("numpy") + text("ndarray.tofile") + b"\x93.",
    "numpy's own back doors": b'cnumpy.testing._private.utils\nrunstring\n(S\'open("{mark}","w")\'\n}tR.',
    "numpy.load": b"cnumpy\nload\n(S'x.npy'\ntR.",
    "an allowed module's other name": b"c_codecs\nopen\n(S'{mark}'\nS'w'\ntR.",
    "another encoding": b"c_codecs\nencode\n(" + text("abc") + b"S'uu'\ntR.",
    "INST": b"(S'touch {mark}'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'touch {mark}'\no.",
    "OBJ of an allowed class": b"(cchumpy.ch\nCh\no.",
    "NEWOBJ of an allowed class with arguments": b"cchumpy.ch\nCh\n(K\x01t\x81.",
    "NEWOBJ_EX": b"\x80\x04cnumpy\ndtype\n)}\x92.",
    "PERSID": b"Pname\n.",
    "BINPERSID": b"K\x01Q.",
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT2": b"\x80\x02\x83\x01\x00.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05N\x98.",
    "BUILD with a slot state": b"cchumpy.ch\nCh\n)\x81(}}tb.",
    "BUILD of a name": b"cnumpy\nndarray\n}S'x'\nK\x01sb.",
    "BUILD of a list": b"]}b.",
    "a call of what is not a name": b"]K\x01\x85R.",
    "a reconstructor of something else": b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.",
    "an array of another class": b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\nobject\n(K\x00tU\x01btR.",
    "a set of code": b"c__builtin__\nset\n(cos\nsystem\ntR.",
}
INCONSISTENT = {
    "an array larger than its bytes": b"}S'a'\n" + ARRAY + b"(K\x01(J\xff\xff\xff\x7ftcnumpy\ndtype\n(U\x02f8K\x00K\x01tRI00\nU\x01xtbs.",
    "a negative size": b"}S'a'\n" + ARRAY + b"(K\x01(I-1\nt" + DTYPE + b"I00\nU\x00tbs.",
    "a size of another type": b"}S'a'\n" + ARRAY + b"(K\x01(G\x3f\xf0\x00\x00\x00\x00\x00\x00t" + DTYPE + b"I00\nU\x08xxxxxxxxtbs.",
    "a string longer than the file": b"}S'a'\nT\xff\xff\xff\x7fxs.",
    "a string of negative length": b"}S'a'\nT\xff\xff\xff\xffxs.",
    "bytes longer than any memory": b"\x80\x04}S'a'\n\x8e\xff\xff\xff\xff\xff\xff\xff\x7fxs.",
    "a sparse matrix with nothing in it": dumps({"a": Csc(np.zeros((2, 2)))}).replace(b"J\x02\x00\x00\x00J\x02", b"J\xff\xff\xff\x7fJ\x02"),
    "a selection out of range": dumps({"a": Chumpy("chumpy.reordering Select", a=np.arange(3.0), idxs=np.array([5]))}),
    "a selection by floats": dumps({"a": Chumpy("chumpy.reordering Select", a=np.arange(3.0), idxs=np.array([0.5]))}),
    "a chumpy object without content": dumps({"a": Chumpy()}),
    "an array without content": b"}S'a'\n" + ARRAY + b"s.",
    "a list that holds itself": b"}S'a'\n]q\x00h\x00as.",
    "lists of lists of lists": b"}S'a'\n" + b"](K\x01K\x01K\x01K\x01e" + b"q\x01](h\x01h\x01h\x01h\x01h\x01h\x01h\x01h\x01e" * 14 + b"s.",
    "one text encoded over and over": b"}S'a'\n" + text("x" * 99999) + b"q\x01" + b"c_codecs\nencode\n(h\x01U\x06latin1tR" * 9999 + b"s.",
    "no table": b"K\x01.",
    "nothing on the stack": b".",
    "a mark without end": b"(t.t.",
    "an unknown memo": b"h\x07.",
    "changed line endings": dumps({"a": np.arange(4.0)}, 0).replace(b"\n", b"\r\n"),
    "a number of a million digits": b"I" + b"9" * 1000000 + b"\n.",
    "a key that is no text": b"}]K\x01s.",
    "empty": b"",
    "other text": b"This is not a pickle at all.\n",
    "other bytes": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_malicious_files_are_refused_without_side_effects(tmp_path, monkeypatch, name):
    mark = tmp_path / "executed"
    content = MALICIOUS[name].replace(b"{mark}", str(mark).encode())
    monkeypatch.setattr("os.system", lambda *_: mark.touch())
    with pytest.raises(ModelError) as caught:
        read(tmp_path, b"}S'weights'\n" + content[:-1] + b"s.")
    assert not mark.exists()
    assert "never needs" in caught.value.problem and caught.value.remedy


@pytest.mark.parametrize("name", INCONSISTENT)
def test_inconsistent_files_are_refused_without_taking_memory(tmp_path, name):
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(ModelError):
            read(tmp_path, INCONSISTENT[name])
        assert tracemalloc.get_traced_memory()[1] < 150e6
    finally:
        tracemalloc.stop()


def test_a_call_hidden_in_a_valid_layout_is_refused(tmp_path):
    mark = tmp_path / "executed"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        content = {"v_template": np.zeros((3, 3)), "names": ["a", {"deep": Call(mark.touch)}]}
        with pytest.raises(ModelError, match="never needs"):
            read(tmp_path, pickle.dumps(content, protocol=protocol))
    assert not mark.exists()


def test_object_and_text_arrays_stay_unread(tmp_path):
    others = {"objects": np.array([{"a": 1}, None], object), "text": np.array(["a"]), "mixed": np.zeros(2, "f4,i4")}
    found = read(tmp_path, pickle.dumps({"good": np.arange(3.0), **others}, protocol=2))
    assert np.array_equal(found["good"], np.arange(3.0))
    assert all(isinstance(found[key], UnreadValue) for key in others)


def test_every_truncation_raises_a_model_error(tmp_path):
    for protocol in (0, 2):
        whole = dumps(official_content(smpl_arrays(vertices=30)), protocol)
        for length in np.linspace(1, len(whole) - 1, 60).astype(int):
            with pytest.raises(ModelError):
                read(tmp_path, whole[:length])


@given(st.data())
def test_flipped_bytes_give_a_result_or_a_model_error(tmp_path_factory, data):
    whole = bytearray(dumps(official_content(smpl_arrays(vertices=26)), data.draw(st.sampled_from([0, 2]))))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(tmp_path_factory.mktemp("flipped"), bytes(whole))
    except ModelError as error:
        assert error.problem and error.remedy


def test_a_missing_file_and_a_folder_raise_model_errors(tmp_path):
    for path in (tmp_path / "absent.pkl", tmp_path):
        with pytest.raises(ModelError):
            read_model_pickle(path)
