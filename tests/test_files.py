"""Files that are there whole or not at all."""

from pathlib import Path

import pytest

from emojudge.files import whole, whole_folder, write_whole


def test_what_was_there_stays_until_all_is_written(tmp_path: Path):
    path = tmp_path / "a.json"
    write_whole(path, "old\r\n")
    with whole(path) as temporary:
        temporary.write_text("new")
        assert path.read_bytes() == b"old\r\n"  # line ends as they were given
        assert temporary.parent == tmp_path  # on the same disk, so that it can be moved in one step
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]):
    path = tmp_path / "a.json"
    write_whole(path, "old")

    def fail() -> None:
        with whole(path) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "missing" / "a.json", "new")


def test_a_folder_takes_the_others_place_when_it_is_full(tmp_path: Path):
    path = tmp_path / "deep" / "folder"
    for content in ("old", "new"):
        with whole_folder(path) as temporary:
            assert list(temporary.iterdir()) == []
            (temporary / content).write_text(content)
        assert [file.name for file in path.iterdir()] == [content]
    (path.with_name("folder.tmp")).mkdir()  # of a process that was killed
    (path.with_name("folder.tmp") / "half").write_text("half")

    def fail() -> None:
        with whole_folder(path) as temporary:
            (temporary / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(path.parent.iterdir()) == [path]
