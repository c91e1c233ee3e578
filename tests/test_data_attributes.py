"""Tables of attributes: what columns mean, whose line is whose, and each mistake in its exact words."""

from pathlib import Path

import pytest
import torch
from picture_samples import encoded, plain

from ganctl.data.attributes import Attributes
from ganctl.data.batch import Images
from ganctl.data.dataset import Table
from ganctl.errors import UserError

pytestmark = pytest.mark.usefixtures("alone")
CPU = torch.device("cpu")
PICTURE = encoded(plain("red"))


def put(table: str, names: tuple[str, ...] = ("1.png", "2.png", "3.png"), root: str = "set") -> None:
    for name in names:
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    Path(root, "attributes.csv").write_text(table)


def labels(table: Table) -> list:
    batch = table.batch(torch.arange(len(table)), torch.Generator())
    assert isinstance(batch, Images)
    assert batch.label is not None
    return batch.label.tolist()


def refused(**settings) -> str:
    with pytest.raises(UserError) as refusal:
        Attributes("set", size=8, **settings).describe()
    return str(refusal.value)


def test_zeros_and_ones_minus_ones_and_words() -> None:
    """Lines in any order; columns in the order of the table, words of a column by the alphabet."""
    put("file,young,smiling,hair\n3.png,0,-1,grey\n1.png,1,1,black\n2.png,1,-1,black\n")
    dataset = Attributes("set", size=8)
    description = dataset.describe()
    assert description.names == ("young", "smiling", "black", "grey")
    assert (description.classes, description.count, description.attributes) == (4, 3, True)
    assert labels(dataset.open(CPU)) == [[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1]]


def test_one_column_of_words_gives_classes() -> None:
    put("file,color,shape\n1.png,red,ball\n2.png,blue,ball\n3.png,red,cube\n")
    dataset = Attributes("set", columns=["color"], size=8)
    assert dataset.describe().names == ("blue", "red")
    assert not dataset.describe().attributes
    assert labels(dataset.open(CPU)) == [1, 0, 1]


def test_a_word_of_two_columns_is_told_with_its_column() -> None:
    put("file,hat,coat\n1.png,red,blue\n2.png,none,red\n3.png,none,none\n")
    names = ("hat:none", "hat:red", "blue", "coat:none", "coat:red")
    assert Attributes("set", size=8).describe().names == names


def test_files_by_path_or_bare_name_in_any_column() -> None:
    put("old;image_id\n1;1.png\n0;a/2.png\n1;3.png\n", names=("a/1.png", "a/2.png", "b/3.png"))
    dataset = Attributes("set", file="image_id", size=8)
    assert dataset.describe().names == ("old",)
    assert labels(dataset.open(CPU)) == [[1], [0], [1]]


def test_test_pictures_speak_the_words_of_training() -> None:
    put("file,color\n1.png,red\n2.png,blue\n3.png,green\n")
    put("file,color\n1.png,red\n2.png,red\n3.png,blue\n", root="test")
    held_out = Attributes("set", test="test", size=8).open(CPU).held_out()
    assert held_out is not None
    assert labels(held_out) == [2, 2, 0]
    put("file,color\n1.png,red\n2.png,pink\n3.png,blue\n", root="test")
    words = "dataset.table: 'pink' in column 'color' of 'attributes.csv'; it knows blue, green, red; correct it"
    with pytest.raises(UserError, match=words):
        Attributes("set", test="test", size=8).open(CPU)


def test_unknown_files_are_refused_or_skipped() -> None:
    put("file,old\n1.png,1\n2.png,0\n3.png,1\n4.png,0\n")
    assert refused() == (
        "dataset.table: 1 of 4 files in 'attributes.csv' are not in 'set': '4.png'; "
        "make them agree, or set dataset.on_error=skip"
    )
    assert labels(Attributes("set", size=8, on_error="skip").open(CPU)) == [[1], [0], [1]]


def test_pictures_without_a_line_are_refused_or_skipped() -> None:
    put("file,old\n2.png,0\n")
    assert refused() == (
        "dataset.table: 2 of 3 pictures in 'set' have no line: '1.png', '3.png'; "
        "make them agree, or set dataset.on_error=skip"
    )
    dataset = Attributes("set", size=8, on_error="skip")
    assert dataset.describe().count == 1
    assert labels(dataset.open(CPU)) == [[0]]


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ("1 0 2", "holds '2'; must be 0 and 1, -1 and 1, or words; correct it"),
        ("1 0 maybe", "holds 'maybe'; must be 0 and 1, -1 and 1, or words; correct it"),
        ("1 0 -1", "holds '-1 and 0 and 1'; must be 0 and 1, -1 and 1, or words; correct it"),
        ("1 0", "is empty in 1 lines; fill them, or name others in dataset.columns"),
    ],
)
def test_unknown_values_are_refused(cells: str, fault: str) -> None:
    values = [*cells.split(), ""]
    put("file,old\n" + "".join(f"{number}.png,{values[number - 1]}\n" for number in (1, 2, 3)))
    assert refused() == f"dataset.table: column 'old' of 'attributes.csv' {fault}"


def test_other_mistakes_in_their_words() -> None:
    put("file,old\n1.png,1\n1.png,0\n2.png,1\n3.png,0\n")
    assert refused() == "dataset.table: '1.png' stand twice in 'attributes.csv'; leave one line each"
    assert refused(table="list.csv") == (
        "dataset.table: no file 'list.csv' in 'set', which holds attributes.csv; set dataset.table=FILE"
    )
    assert "dataset.columns: no column 'young' in 'attributes.csv'" in refused(columns=["young"])
    assert "dataset.file: no column 'image' in 'attributes.csv'" in refused(file="image")
    put("file\n1.png\n2.png\n3.png\n")
    assert refused() == ("dataset.table: 'attributes.csv' has no column beside that of the files; add one an attribute")
    put("file,old\na.png,1\n")
    assert "names no picture in 'set'" in refused(on_error="skip")


def test_a_table_that_lies_deeper_is_named_with_its_folder() -> None:
    put("file,old\n1.png,1\n", root="set/test")
    put("file,old\n1.png,1\n", root="set/train")
    assert refused().endswith("; set dataset.root=set/train")


def test_captions_are_no_attributes() -> None:
    names = tuple(f"{number}.png" for number in range(21))
    put("file,caption\n" + "".join(f"{name},words {name}\n" for name in names), names=names)
    assert refused() == (
        "dataset.columns: column 'caption' of 'attributes.csv' has 21 different words, and at most 20 make attributes; "
        "name the columns to use, e.g. dataset.columns=[color,shape]"
    )


@pytest.mark.parametrize("columns", [[], ["a", "a"]])
def test_columns_must_differ(columns: list[str]) -> None:
    with pytest.raises(ValueError, match="must be one or more different ones, or null for all"):
        Attributes("set", columns=columns)


def test_real_shapes(data_root: Path) -> None:
    root = f"{data_root}/easyvqa64.zip/easyvqa64/train"
    description = Attributes(root, columns=["color", "shape"]).describe()
    assert description.count == 4000
    assert description.names[:8] == ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
    assert description.names[8:] == ("circle", "rectangle", "triangle")
