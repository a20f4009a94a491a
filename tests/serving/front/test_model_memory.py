"""What the folder of a model takes."""

from pathlib import Path

from serving.front.model_memory import folder_bytes


def test_a_folder_takes_what_its_files_do_and_links_to_nowhere_take_nothing(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "model.onnx").write_bytes(bytes(100))
    (tmp_path / "code" / "inference.py").write_bytes(bytes(20))
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    assert folder_bytes(tmp_path) == 120
