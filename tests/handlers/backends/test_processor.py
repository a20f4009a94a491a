from pathlib import Path

import pytest

from handlers.backends.processor import Processor, instruction_set, processor


@pytest.mark.parametrize(
    ("flags", "widest"),
    [
        ("fpu sse2 avx avx2 fma", "avx2"),
        ("avx512f avx avx2 avx512_vnni", "avx512_vnni"),
        ("avx avx2 avx512f amx_tile amx_int8 avx512_vnni avx512_bf16", "amx_int8"),
        ("fpu sse2", ""),
    ],
)
def test_the_widest_instructions_of_a_processor_are_told(flags: str, widest: str, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nmodel name\t: any\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: avx\n")
    assert instruction_set(cpuinfo) == widest


def test_nothing_is_told_of_a_processor_that_does_not_tell(tmp_path: Path) -> None:
    assert instruction_set(tmp_path / "there is none") == ""
    (tmp_path / "cpuinfo").write_text("processor: 0\nFeatures: neon\n")
    assert instruction_set(tmp_path / "cpuinfo") == ""


def test_a_processor_is_its_name_and_what_decides_its_speed(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Any 9000\nflags\t\t: fpu avx2 avx512f\n\nprocessor\t: 1\n")
    assert str(processor(cpuinfo)) == "Any 9000 (avx2, avx512f)"
    assert str(Processor("Another")) == "Another (unknown instruction sets)"
    assert processor(tmp_path / "there is none").flags == frozenset()
