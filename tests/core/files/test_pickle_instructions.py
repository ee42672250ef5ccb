"""Each instruction of the safe pickle machine does what Python's own pickle does, and its limits hold to the element."""

import pickle
import struct

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files import pickle_stubs
from blender_meshrec.core.files.pickle_evaluation import StubEvaluator
from blender_meshrec.core.files.pickle_stubs import ALLOWED_GLOBALS, DamagedError, DtypeStub, StubFactory, UnreadValue, decode_key
from blender_meshrec.core.files.safe_pickle import PickleMachine, read_model_pickle
from tests.support.python2_pickle import Chumpy, Csc, dumps

# All globals that a body file may name: what is added here is trusted by the reader.
TRUSTED = {
    "_codecs": ["encode"],
    "collections": ["OrderedDict"],
    "numpy.core.multiarray": ["_reconstruct", "scalar"],
    "numpy._core.multiarray": ["_reconstruct", "scalar"],
    "numpy.core.numeric": ["_frombuffer"],
    "numpy._core.numeric": ["_frombuffer"],
    "numpy": ["ndarray", "dtype"],
    "__builtin__": ["object", "set", "bytes"],
    "builtins": ["object", "set", "bytes"],
    "copy_reg": ["_reconstructor"],
    "copyreg": ["_reconstructor"],
    "scipy.sparse.csc": ["csc_matrix", "csc_array"],
    "scipy.sparse._csc": ["csc_matrix", "csc_array"],
    "scipy.sparse.csr": ["csr_matrix", "csr_array"],
    "scipy.sparse._csr": ["csr_matrix", "csr_array"],
    "scipy.sparse.coo": ["coo_matrix", "coo_array"],
    "scipy.sparse._coo": ["coo_matrix", "coo_array"],
    "chumpy.ch": ["Ch"],
    "chumpy.reordering": ["Select", "Reshape"],
}
DTYPE = b"cnumpy\ndtype\n(U\x02f8I00\nI01\ntR"


def run(program):
    return PickleMachine(program, StubFactory("a.pkl")).run()


def plain(value):
    """A value as the machine gives it: sets are lists."""
    if isinstance(value, (set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def sized(code, layout, content):
    return code + struct.pack(layout, len(content)) + content


VALUES = {
    "INT": b"I-12\n",
    "INT true": b"I01\n",
    "INT false": b"I00\n",
    "LONG": b"L-123456789012345678901L\n",
    "FLOAT": b"F-2.5e3\n",
    "STRING": b"S'it\\'s \\x41'\n",
    "STRING in double quotes": b'S"a"\n',
    "STRING without content": b"S''\n",
    "UNICODE": b"V\\u00fc\\u9ad8\n",
    "BININT": b"J" + struct.pack("<i", -70000),
    "BININT1": b"K\xff",
    "BININT2": b"M\xff\xfe",
    "BINFLOAT": b"G" + struct.pack(">d", -0.1),
    "LONG1": b"\x8a\x02\x00\xff",
    "LONG1 zero": b"\x8a\x00",
    "LONG4": b"\x8b" + struct.pack("<i", 9) + bytes(range(9)),
    "BINSTRING": sized(b"T", "<i", b"abc" * 100),
    "SHORT_BINSTRING": sized(b"U", "<B", b"a" * 200),
    "SHORT_BINBYTES": sized(b"C", "<B", b"b" * 200),
    "BINBYTES": sized(b"B", "<I", b"b" * 300),
    "BINBYTES8": sized(b"\x8e", "<Q", b"b" * 300),
    "BYTEARRAY8": sized(b"\x96", "<Q", b"b" * 300),
    "SHORT_BINUNICODE": sized(b"\x8c", "<B", "ü".encode() * 100),
    "BINUNICODE": sized(b"X", "<I", "ü".encode() * 300),
    "BINUNICODE8": sized(b"\x8d", "<Q", "ü".encode() * 300),
    "a lone surrogate": sized(b"X", "<I", b"\xed\xa0\x80"),
    "NONE": b"N",
    "NEWTRUE": b"\x88",
    "NEWFALSE": b"\x89",
    "EMPTY_TUPLE": b")",
    "TUPLE1": b"K\x01\x85",
    "TUPLE2": b"K\x01K\x02\x86",
    "TUPLE3": b"K\x01K\x02K\x03\x87",
    "TUPLE": b"K\x09(K\x01K\x02K\x03K\x04t\x86",
    "EMPTY_LIST": b"]",
    "LIST": b"(K\x01K\x02l",
    "APPEND": b"]K\x01aK\x02a",
    "APPENDS": b"](K\x01K\x02e(K\x03e",
    "EMPTY_DICT": b"}",
    "DICT": b"(K\x01K\x02K\x03K\x04d",
    "SETITEM": b"}K\x01K\x02sK\x03K\x04s",
    "SETITEMS": b"}(K\x01K\x02K\x03K\x04u",
    "EMPTY_SET": b"\x8f(K\x01K\x02\x90",
    "FROZENSET": b"(K\x01\x91",
    "POP": b"K\x01K\x020",
    "POP_MARK": b"K\x01(K\x02K\x031",
    "DUP": b"K\x012\x86",
    "PUT and GET": b"K\x07p12\nK\x08p3\n\x86g12\ng3\n\x86\x86",
    "BINPUT and BINGET": b"K\x07q\xf0K\x08q\x03\x86h\xf0h\x03\x86\x86",
    "LONG_BINPUT and LONG_BINGET": b"K\x07r\x00\x01\x00\x00K\x08r\x00\x00\x01\x00\x86j\x00\x01\x00\x00j\x00\x00\x01\x00\x86\x86",
    "MEMOIZE": b"K\x07\x94K\x08\x94\x86h\x00h\x01\x86\x86",
    "FRAME": b"\x95" + struct.pack("<Q", 3) + b"K\x01",
    "PROTO": b"\x80\x04K\x01",
}


@pytest.mark.parametrize("name", VALUES)
def test_each_instruction_does_what_pickle_does(name):
    program = b"K\x63" + VALUES[name] + b"\x86."  # a value below it on the stack, and both in a tuple
    expected = plain(pickle.loads(program, encoding="bytes"))  # noqa: S301 - our own program, which names nothing
    found = run(program)
    assert found == expected and type(found[1]) in (type(expected[1]), bytes)


CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=5) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=5)
    ),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(content=CONTENT, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_nested_content_reads_as_with_pickle(content, protocol):
    assert run(pickle.dumps(content, protocol)) == content


PAIR = b"K\x01K\x02"
MARKED = {
    "in a list": b"](a",
    "in a tuple of one": b"(\x85",
    "first in a tuple of two": b"(K\x01\x86",
    "last in a tuple of two": b"K\x01(\x86",
    "amid a tuple of three": b"K\x01(K\x02\x87",
    "as a key": b"}(K\x01s",
    "as a value": b"}K\x01(s",
    "from the memo": b"](q\x000h\x00a",
    "twice": b"](2aa",
    "as a state": DTYPE + b"(b",
    "as arguments": b"cnumpy\ndtype\n(R",
    "as a name": b"\x8c\x05numpy(\x93",
    "below a pop to a mark that is missing": b"K\x01e",
    "a list without a mark": b"K\x01l",
    "a tuple without a mark": b"K\x01t",
    "items for a number": b"K\x01(K\x02e",
    "an item for a tuple": b")K\x02a",
    "pairs for a list": b"]" + PAIR + b"s",
    "an odd number of pairs": b"}(K\x01u",
    "an odd dictionary": b"(K\x01d",
}


@pytest.mark.parametrize("name", MARKED)
def test_a_mark_is_never_a_value(name):
    with pytest.raises((DamagedError, ModelError)):
        run(MARKED[name] + b".")


@pytest.mark.parametrize(
    "program, words",
    [
        (b"K", "breaks off"),
        (b"K\x01", "breaks off"),
        (b"I12", "breaks off"),
        (b"U\x05abcd.", "breaks off"),
        (b"T\xff\xff\xff\xffabcd.", "breaks off"),
        (b"I12\r\n.", "line endings"),
        (b"S'abc\n.", "no end"),
        (b"Sabc\n.", "no end"),
        (b"S'\n.", "no end"),
        (b"S'a\"\n.", "no end"),
        (b"\xff.", "not a pickle"),
        (b"", "breaks off"),
    ],
)
def test_what_is_wrong_with_a_program_is_said(program, words):
    with pytest.raises(DamagedError, match=words):
        run(program)


def test_the_trusted_globals_are_these_and_no_others():
    expected = {f"{module} {name}" for module, names in TRUSTED.items() for name in names}
    assert expected == ALLOWED_GLOBALS.keys()
    for name in (*expected, "numpy load", "os system", "builtins eval", "numpy ndarray.tofile", "copyreg __newobj__", " "):
        module, _, attribute = name.partition(" ")
        for program in (
            f"c{module}\n{attribute}\n.".encode(),
            sized(b"X", "<I", module.encode()) + sized(b"X", "<I", attribute.encode()) + b"\x93.",
        ):
            if name in expected:
                assert run(program).name == name
            else:
                with pytest.raises(ModelError, match="never needs"):
                    run(program)


# --- stubs ---


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("order", ["<", ">", "=", "|"])
def test_arrays_of_either_numpy_and_byte_order(module, order):
    values = np.arange(6, dtype=np.dtype("f8").newbyteorder(order)).reshape(2, 3)
    raw = values.tobytes(order="F")
    build = b"(K\x03" + sized(b"U", "<B", order.encode()) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"c" + module.encode() + b".multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    program = array + b"(K\x01(K\x02K\x03t" + DTYPE + build + b"I01\n" + sized(b"U", "<B", raw) + b"tb."
    assert np.array_equal(run(program).value, values)
    program = b"c" + module.encode() + b".numeric\n_frombuffer\n(" + sized(b"U", "<B", raw) + DTYPE + build + b"(K\x02K\x03tU\x01FtR."
    assert np.array_equal(run(program), values)
    program = b"c" + module.encode() + b".multiarray\nscalar\n(" + DTYPE + build + sized(b"U", "<B", values[1:, 2].tobytes()) + b"tR."
    assert run(program) == 5.0 and run(program).shape == ()


@pytest.mark.parametrize("module", ["__builtin__", "builtins"])
def test_builtins_of_either_python(module):
    name = module.encode()
    assert run(b"c" + name + b"\nbytes\n)R.") == b""
    assert run(b"c" + name + b"\nset\n)R.") == []
    assert run(b"c" + name + b"\nset\n](K\x01K\x02e\x85R.") == [1, 2]
    for helper in (b"copy_reg", b"copyreg"):
        stub = run(b"c" + helper + b"\n_reconstructor\n(cchumpy.ch\nCh\nc" + name + b"\nobject\nNtR}K\x01K\x02sb.")
        assert stub.kind == "Ch" and stub.state == {1: 2}


def test_mappings_and_text_of_python_2():
    assert run(b"ccollections\nOrderedDict\n)R.") == {}
    assert run(b"ccollections\nOrderedDict\n](U\x01aK\x01\x86U\x01bK\x02\x86e\x85R.") == {"a": 1, "b": 2}
    for encoding in (b"latin1", b"latin-1"):
        assert run(b"c_codecs\nencode\n" + sized(b"X", "<I", "ü".encode()) + sized(b"U", "<B", encoding) + b"\x86R.") == b"\xfc"


@pytest.mark.parametrize("code", ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
def test_numbers_have_their_dtype(code):
    stub = DtypeStub(code)
    assert stub.numpy_dtype() == np.dtype(code)
    stub.order = ">"
    assert stub.numpy_dtype() == np.dtype(f">{code}")


@pytest.mark.parametrize("code", ["O8", "O", "S3", "U3", "V4", "c16", "f16", "M8", "record", "b8", "i16", "f1", "u3"])
def test_other_dtypes_are_not_read(code):
    array = StubFactory("a").make_array(b"12345678", DtypeStub(code), (1,), fortran_order=False)
    assert isinstance(array, UnreadValue) and code[:8] in repr(array)


@pytest.mark.parametrize("key", [0, -3, 1.5, True, None, "a", "頭"])
def test_keys_are_text_or_numbers(key):
    assert decode_key(key) is key


@pytest.mark.parametrize("key", [(1,), [], {}, UnreadValue("a")])
def test_other_keys_are_refused(key):
    with pytest.raises(DamagedError):
        decode_key(key)
    assert decode_key(b"\xfc") == "ü"


@pytest.mark.parametrize("shape", [(-1,), (True,), (1.0,), ("1",), (3,), (2, 2), (1,) * 9, (0,), [1]])
def test_arrays_are_as_large_as_they_claim(shape):
    make = StubFactory("a").make_array
    with pytest.raises(DamagedError):
        make(bytes(8), DtypeStub("f8"), shape, fortran_order=False)
    assert make(bytes(8), DtypeStub("f8"), (1,) * 8, fortran_order=False).shape == (1,) * 8
    assert make(b"", DtypeStub("f8"), (3, 0), fortran_order=False).shape == (3, 0)


# --- limits ---


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_lists_are_nested_to_the_limit():
    assert StubEvaluator(StubFactory("a")).to_plain(nested(16)) == nested(16)
    assert StubEvaluator(StubFactory("a")).to_plain({"a": (nested(14),)}) == {"a": [nested(14)]}
    for value in (nested(17), {"a": nested(16)}):
        with pytest.raises(DamagedError, match="too deeply"):
            StubEvaluator(StubFactory("a")).to_plain(value)


INDICES = np.zeros(100, np.int64)
# What a file makes of few bytes, and the elements that it takes at least.
GROWING = {
    "a list": ([0] * 5, 5 * 64),
    "a tuple": ((0,) * 5, 5 * 64),
    "a table": (dict.fromkeys(range(5)), 5 * 64),
    "a sparse matrix": (Csc(np.eye(30, 40)), 30 * 40),
    "selections": ([Chumpy("chumpy.reordering Select", a=np.arange(3.0), idxs=INDICES) for _ in range(4)], 4 * 100 + 4 * 64),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_a_file_makes_is_counted(monkeypatch, name):
    content, elements = GROWING[name]
    program = pickle.dumps(content) if name[-4:] in ("list", "uple", "able") else dumps(content)
    factory = StubFactory("a")
    StubEvaluator(factory).to_plain(PickleMachine(program, factory).run())
    assert elements <= factory.expanded_size <= elements + 2 * 64  # a shape is a list, too
    monkeypatch.setattr(pickle_stubs, "_MAX_EXPANSION", factory.expanded_size)
    exact = StubFactory("a")
    StubEvaluator(exact).to_plain(PickleMachine(program, exact).run())
    monkeypatch.setattr(pickle_stubs, "_MAX_EXPANSION", factory.expanded_size - 1)
    tight = StubFactory("a")
    with pytest.raises(ModelError, match="more memory"):
        StubEvaluator(tight).to_plain(PickleMachine(program, tight).run())


def test_encoded_text_and_mappings_are_counted_while_the_program_runs():
    for program, elements in (
        (b"c_codecs\nencode\n" + sized(b"X", "<I", b"x" * 77) + b"U\x06latin1\x86R.", 77),
        (b"ccollections\nOrderedDict\n](U\x01aK\x01\x86U\x01bK\x02\x86e\x85R.", 2 * 64),
    ):
        factory = StubFactory("a")
        PickleMachine(program, factory).run()
        assert factory.expanded_size == elements


def densify(kind, **state):
    return StubEvaluator(StubFactory("a"))._densify(kind, {name: np.array(value) for name, value in state.items()}, 0)


@pytest.mark.parametrize("kind", ["csc", "csr"])
def test_compressed_matrices_are_what_scipy_makes_of_them(kind):
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(5, 7)) * (rng.uniform(size=(5, 7)) < 0.4)
    sparse = getattr(scipy.sparse, f"{kind}_matrix")(dense)
    state = {"data": sparse.data, "indices": sparse.indices, "indptr": sparse.indptr}
    for name in ("_shape", "shape"):
        np.testing.assert_array_equal(densify(kind, **state, **{name: (5, 7)}), dense)
    inner, outer = (5, 7) if kind == "csc" else (7, 5)
    last, end = int(np.flatnonzero(sparse.indices == sparse.indices.max())[0]), len(sparse.data)
    wrong = {
        "an index below zero": {"indices": np.where(np.arange(end) == 2, -1, sparse.indices)},
        "an index too large": {"indices": np.where(np.arange(end) == last, inner, sparse.indices)},
        "a start above zero": {"indptr": np.maximum(sparse.indptr, 1)},
        "an end too early": {"indptr": np.minimum(sparse.indptr, end - 1)},
        "starts that fall": {"indptr": np.r_[0, end, sparse.indptr[2:]]},
        "too few starts": {"indptr": sparse.indptr[:-1]},
        "too many starts": {"indptr": np.r_[sparse.indptr, end]},
        "fewer values": {"data": sparse.data[:-1]},
        "a table of values": {"data": sparse.data[None]},
    }
    for name, change in wrong.items():
        with pytest.raises(DamagedError):
            densify(kind, **{**state, "_shape": (5, 7), **change})
            pytest.fail(name)
    assert outer + 1 == len(sparse.indptr)


def test_entries_by_coordinates_add_up_within_the_matrix():
    good = {"_shape": (2, 3), "data": [1.0, 2.0, 4.0], "row": [0, 1, 0], "col": [2, 0, 2]}
    expected = [[0, 0, 5], [2, 0, 0]]
    np.testing.assert_array_equal(densify("coo", **good), expected)
    np.testing.assert_array_equal(densify("coo", _shape=(2, 3), data=good["data"], coords=(good["row"], good["col"])), expected)
    assert densify("coo", _shape=(2, 3), data=np.zeros(0), row=np.zeros(0, int), col=np.zeros(0, int)).shape == (2, 3)
    for change in (
        {"row": [0, 2, 0]},
        {"row": [0, -1, 0]},
        {"col": [3, 0, 2]},
        {"col": [-1, 0, 2]},
        {"row": [0, 1]},
        {"col": [[2, 0, 2]]},
        {"_shape": (-2, 3)},
    ):
        with pytest.raises(DamagedError):
            densify("coo", **{**good, **change})
    for change in ({"row": [0.0, 1.0, 0.0]}, {"data": ["a", "b", "c"]}):
        with pytest.raises(DamagedError, match="numbers"):
            densify("coo", **{**good, **change})


def test_shared_values_stay_one_value():
    array = np.arange(5.0)
    evaluator = StubEvaluator(StubFactory("a"))
    found = evaluator.to_plain(run(pickle.dumps({"a": array, "b": [array, array]}, protocol=2)))
    assert found["b"][0] is found["a"] is found["b"][1]


def test_a_model_is_read_with_its_keys(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(dumps({"a": Csc(np.array([[1.0, 0], [0, 2], [3, 0]])), "b": Chumpy(x=np.arange(3.0))}))
    found = read_model_pickle(path)
    assert np.array_equal(found["a"], [[1, 0], [0, 2], [3, 0]]) and np.array_equal(found["b"], [0, 1, 2])
