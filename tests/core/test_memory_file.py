"""A view read as a file: like a file of the same content, whatever is done to it."""

import io

from hypothesis import given
from hypothesis import strategies as st

from segl.core.memory_file import ViewFile, as_file

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 40)),
        st.tuples(st.just("seek"), st.integers(0, 40), st.just(io.SEEK_SET)),
        st.tuples(st.just("seek"), st.integers(0, 40), st.sampled_from([io.SEEK_CUR, io.SEEK_END])),
    )
)


@given(st.binary(max_size=30), STEPS)
def test_it_reads_as_any_file_does(content: bytes, steps: list[tuple[str, int]]) -> None:
    ours, other = ViewFile(memoryview(content)), io.BytesIO(content)
    for name, *arguments in steps:
        assert getattr(ours, name)(*arguments) == getattr(other, name)(*arguments)
        assert ours.tell() == other.tell()
    assert ours.readable()
    assert ours.seekable()


def test_only_what_is_small_is_copied() -> None:
    assert isinstance(as_file(b"small"), io.BytesIO)
    large = bytes(range(256)) * 8192
    assert isinstance(as_file(large), ViewFile)
    assert as_file(large).read() == large
