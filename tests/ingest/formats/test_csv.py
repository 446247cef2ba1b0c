"""CSV and its like."""

import pytest

from tests.ingest.reading import Reading


@pytest.mark.parametrize(
    "text",
    [
        'name,said\nMüller,"one, two"\nB,"3\n4"\n',
        "name;said\nMüller;one, two\nB;3 4\n",
        "name\tsaid\nMüller\tone, two\nB\t3 4\n",
        "name|said\r\nMüller|one, two\r\n\r\nB|3 4\r\n",
        "\ufeffname,said,\nMüller,'one'\n".replace("'one'", '"one, two"') + "B,3 4,,\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_csv_may_be_separated_by_other_signs(read: Reading, text: str, encoding: str) -> None:
    data = text.lstrip("\ufeff").encode(encoding) if encoding != "utf-8" else text.encode()
    assert read.text("a.csv", data) == "| name | said |\n| --- | --- |\n| Müller | one, two |\n| B | 3 4 |"


def test_a_csv_of_one_column_or_of_a_long_cell_is_a_table(read: Reading) -> None:
    assert read.text("a.csv", "name\nMüller\n") == "| name |\n| --- |\n| Müller |"
    long = "word " * 50_000
    assert long.strip() in read.text("a.csv", f'a,b\n"{long}",c\n')
