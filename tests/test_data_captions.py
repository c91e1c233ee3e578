"""Pictures with captions as users have them: tables and text files, encodings, and each fault in its exact words."""

import zipfile
from pathlib import Path

import pytest
import torch
from picture_samples import encoded, plain

from ganctl.config.preparation import compose, prepare
from ganctl.data.captions import Captions, CaptionTable, RandomCaptions
from ganctl.data.dataset import TensorTable
from ganctl.data.spreadsheet import spreadsheet
from ganctl.errors import UserError
from ganctl.text import as_bytes, as_texts, folded

pytestmark = pytest.mark.usefixtures("alone")
CPU = torch.device("cpu")
RED, BLUE = encoded(plain("red")), encoded(plain("blue"))
TWO = {"a.png": RED, "b.png": BLUE}


def put(files: dict[str, bytes | str]) -> str:
    """A folder `data` with these files."""
    for name, content in files.items():
        path = Path("data", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return "data"


def opened(files: dict[str, bytes | str], **settings) -> CaptionTable:
    table = Captions(put(files), **{"size": 8, **settings}).open(CPU)
    assert isinstance(table, CaptionTable)
    return table


def said(table: CaptionTable) -> list[str]:
    batch = table.batch(torch.arange(len(table)), torch.Generator().manual_seed(0))
    return as_texts(batch.caption)


def refusal(files: dict[str, bytes | str], **settings) -> str:
    with pytest.raises(UserError) as caught:
        Captions(put(files), **{"size": 8, **settings}).open(CPU)
    (mistake,) = caught.value.mistakes
    return mistake


def test_captions_become_bytes_and_come_back():
    captions = as_bytes(["a  red\tcircle ", "é", ""])
    assert captions.tolist()[1] == [0xC3, 0xA9] + [0] * 10  # "a red circle" has 12 bytes
    assert as_texts(captions) == ["a red circle", "é", ""]


def test_a_caption_is_cut_at_a_whole_character():
    assert as_bytes(["aé", "aéb"], longest=2).tolist() == [[ord("a"), 0], [ord("a"), 0]]


def test_what_looks_equal_is_equal():
    composed, decomposed = as_bytes(["\u00e9"]), as_bytes(["e\u0301"])
    assert torch.equal(composed, decomposed)


def test_only_capitals_are_folded():
    assert as_texts(folded(as_bytes(["A RED Ünit [Z]"]))) == ["a red Ünit [z]"]


def test_a_table_gives_each_picture_its_caption_and_its_pixels():
    table = opened({**TWO, "words.csv": "file,caption\nb.png,a blue square\na.png,a red square\n"})
    assert said(table) == ["a red square", "a blue square"]
    image = table.batch(torch.arange(2), torch.Generator()).image
    assert image[:, :, 4, 4].tolist() == [[1, -1, -1], [-1, -1, 1]]


def test_several_captions_are_all_dealt_and_only_to_their_picture():
    table = opened({**TWO, "t.csv": "file,caption\na.png,one\nb.png,blue\na.png,two\na.png,three\n"})
    chance = torch.Generator().manual_seed(0)
    found = {"".join(as_texts(table.batch(torch.tensor([row]), chance).caption)) for row in (0, 1) for _ in range(40)}
    assert found == {"one", "two", "three", "blue"}
    assert {"".join(as_texts(table.batch(torch.tensor([1]), chance).caption)) for _ in range(40)} == {"blue"}


def test_the_same_generator_deals_the_same_captions():
    table = opened({**TWO, "t.csv": "file,caption\na.png,one\nb.png,blue\na.png,two\na.png,three\n"})
    rows = torch.zeros(20, dtype=torch.int64)
    first, again = (table.batch(rows, torch.Generator().manual_seed(3)).caption for _ in range(2))
    assert torch.equal(first, again)


def test_text_files_beside_the_pictures_hold_a_caption_a_line():
    table = opened({"a.png": RED, "a.txt": "a red square\n\n", "deep/b.jpg": BLUE, "deep/b.txt": "blue\r\n"})
    assert said(table) == ["a red square", "blue"]


def test_columns_have_the_names_that_the_user_says_and_any_delimiter():
    table = opened(
        {**TWO, "t.tsv": "id\timage\ttext\n1\t./a.png\tred, here\n2\tb.png\tblue\n"}, file="image", caption="text"
    )
    assert said(table) == ["red, here", "blue"]
    assert said(opened({"t.tsv": "file;caption\na.png;red\nb.png;blue\n"})) == ["red", "blue"]


def test_the_test_part_is_never_trained_on():
    words = "file,caption\nimages/a.png,{}\n"
    files = {f"{part}/images/a.png": data for part, data in (("train", RED), ("test", BLUE))}
    table = opened({**files, "train/t.csv": words.format("red"), "test/t.csv": words.format("blue")})
    assert said(table) == ["red"]
    held_out = table.held_out()
    assert held_out is not None
    assert said(held_out) == ["blue"]
    assert held_out.held_out() is None


def test_a_table_at_the_root_may_name_the_parts():
    files = {"train/a.png": RED, "test/b.png": BLUE, "t.csv": "file,caption\ntrain\\a.png,red\ntest/b.png,blue\n"}
    table = opened(files)
    assert (said(table), said(table.held_out())) == (["red"], ["blue"])  # type: ignore[arg-type]


def test_attributes_are_labels_with_aspects():
    words = "file,caption,shape,color\na.png,a red ring,ring,red\nb.png,a blue ring,ring,blue\nc.png,x,cube,red\n"
    root = put({**TWO, "c.png": RED, "t.csv": words})
    dataset = Captions(root, size=8, attributes=["shape", "color"])
    assert dataset.describe().names == ("cube red", "ring blue", "ring red")
    assert dataset.aspects() == {"shape": (0, 1, 1), "color": (1, 0, 1)}
    label = dataset.open(CPU).batch(torch.arange(3), torch.Generator()).label  # type: ignore[attr-defined]
    assert label.tolist() == [2, 1, 0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_usual_encodings_are_read(encoding):
    table = opened({**TWO, "t.csv": "file,caption\na.png,ein grüner Kreis\nb.png,青い円\n".encode(encoding)})
    assert said(table) == ["ein grüner Kreis", "青い円"]


def test_other_encodings_are_refused_or_named():
    files = {**TWO, "t.csv": "file,caption\na.png,rot\nb.png,grün\n".encode("latin-1")}
    assert refusal(files) == (
        "dataset.encoding: 't.csv' is not UTF-8 (line 3); save it as UTF-8, or name its encoding, e.g. "
        "dataset.encoding=latin-1"
    )
    assert said(opened(files, encoding="latin-1")) == ["rot", "grün"]


def test_an_unmarked_utf_16_file_is_refused():
    assert "is not UTF-8 (line 1)" in refusal({**TWO, "t.csv": "file,caption\n".encode("utf-16-le")})


FAULTY = {**TWO, "t.csv": "file,caption\na.png,red\nb.png,  \nc.png,green\n"}


def test_faults_are_told_together():
    assert refusal(FAULTY) == (
        "dataset.root: in 'data' there are 1 empty captions, such as 'b.png'; 1 rows that name a picture that is not "
        "there, such as 'c.png'; 1 pictures without a caption, such as 'b.png'; correct them or set "
        "dataset.on_error=skip"
    )


def test_faults_are_skipped_where_that_is_asked_for():
    assert said(opened(FAULTY, on_error="skip")) == ["red"]


def test_places_without_captions_are_refused():
    assert refusal(dict(TWO)) == (
        "dataset.root: no captions in 'data'; put a table there (CSV with the columns file and caption), or a .txt "
        "file beside each picture"
    )
    assert refusal({"t.csv": "file,caption\n"}) == (
        "dataset.root: not one captioned picture in 'data': 2 pictures without a caption, such as 'a.png', 'b.png'; "
        "correct them"
    )
    assert "its first line must name the columns" in refusal({"t.csv": ""})


def test_a_missing_column_is_named_with_those_that_are_there():
    files = {**TWO, "t.csv": "file,captions\na.png,red\n"}
    assert refusal(files) == (
        "dataset.caption: no column 'caption' in 't.csv'; it has file, captions; name one of them"
    )


def test_two_tables_in_one_folder_must_be_told_apart():
    files = {**TWO, "t.csv": "file,caption\na.png,red\nb.png,blue\n", "credits.csv": "file,by\na.png,me\n"}
    assert refusal(files).startswith("dataset.table: several tables in one folder: 'credits.csv', 't.csv'; name one")
    assert said(opened(files, table="t.csv")) == ["red", "blue"]
    assert "there is credits.csv, t.csv" in refusal(files, table="u.csv")


def test_all_pictures_in_the_test_part_leave_nothing_to_train_on():
    assert "lie in folders called test" in refusal({"test/a.png": RED, "test/a.txt": "red"})


def test_settings_out_of_range_are_refused_in_words():
    with pytest.raises(ValueError, match="longest: 0; must be 1 to 4096 bytes"):
        Captions("data", longest=0)
    with pytest.raises(ValueError, match="encoding: 'klingon'; must be auto"):
        Captions("data", encoding="klingon")


def test_zips_are_read_in_place():
    with zipfile.ZipFile("d.zip", "w") as file:
        file.writestr("top/train/a.png", RED)
        file.writestr("top/train/t.csv", "file,caption\na.png,red\n")
    assert said(Captions("d.zip", size=8).open(CPU)) == ["red"]  # type: ignore[arg-type]


def test_a_table_is_the_same_for_every_row_length():
    sheet = spreadsheet(b'file,caption\n"a.png","red, ""big"""\nb.png\n\n', "t.csv")
    assert [row["caption"] for row in sheet.rows] == ['red, "big"', ""]


def test_noise_is_brightest_where_its_caption_says():
    batch = RandomCaptions((3, 4, 6), count=8).open(CPU).batch(torch.arange(8), torch.Generator())
    assert as_texts(batch.caption)[0] == "the left half is red"  # type: ignore[attr-defined]
    first = batch.image[0]  # type: ignore[attr-defined]
    assert first[0, :, :3].min() > first[0, :, 3:].max()
    assert first[1, :, :3].max() < 0


def test_a_table_wants_a_caption_for_each_picture():
    pictures = TensorTable(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), None, CPU)
    with pytest.raises(ValueError, match="1 or more"):
        CaptionTable(pictures, torch.zeros(2, 3, dtype=torch.uint8), torch.tensor([2, 0]))


def test_models_of_captions_refuse_other_data_and_say_what_to_choose():
    with pytest.raises(UserError, match=r"model=stackgan learns from captioned pictures.*choose dataset=captions"):
        prepare(compose(["model=stackgan", "dataset=random"]))


def test_models_of_single_pictures_take_captioned_ones():
    assert prepare(compose(["model=dcgan", "dataset=random_captions"]))["description"]["count"] == 1024


def test_real_captions(data_root):
    dataset = Captions(str(data_root / "easyvqa64.zip"), size=16, attributes=["shape", "color"])
    table = dataset.open(CPU)
    assert dataset.describe().classes == 24  # 3 shapes x 8 colours
    assert (len(table), len(table.held_out())) == (4000, 1000)  # type: ignore[arg-type]
    captions = set(table.first_captions(torch.arange(4000)))  # type: ignore[attr-defined]
    assert len(captions) == 24
    assert "a red triangle" in captions
