"""Plain text: its encodings."""

import pytest

from tests.ingest.made_files import SENTENCES
from tests.ingest.reading import Reading


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Straße, 契約"),
        ("utf-8-sig", "Straße, 契約"),
        ("utf-16", "Straße, 契約"),
        ("cp1252", "Die Kündigung muß schriftlich erfolgen – auch über unsere Hotline."),
        ("cp1252", "Name;Straße\nMüller;Königsallee 3\n"),
        ("cp1252", "Résumé à vérifier, café déjà fermé."),
        ("cp1252", "Tuotteen käyttöönotto on helppoa, mutta äiti sanoi että pöytä on märkä."),
        ("cp1250", "Žluťoučký kůň úpěl ďábelské ódy. Smlouvu lze kdykoli vypovědět."),
        ("cp1254", "Sözleşme her zaman feshedilebilir. Şifremi nasıl sıfırlarım?"),
        ("cp1251", "Договор может быть расторгнут в любое время по соглашению сторон."),
        ("cp1256", "يمكن إنهاء العقد في أي وقت. يجب إرسال الإشعار كتابيا."),
        ("cp932", "契約はいつでも終了できます。東京都庁でこのテストを行います。"),
        ("gb18030", "合同可以随时终止。中国人工智能发展迅速，许多公司都在投入研究。"),
    ],
)
def test_text_may_be_in_the_encodings_of_its_country(read: Reading, encoding: str, text: str) -> None:
    assert read.text("a.txt", text.encode(encoding)) == text.strip()


def test_a_wrong_byte_does_not_make_it_another_encoding(read: Reading) -> None:
    german = SENTENCES["de"] * 9
    assert read.text("a.txt", german.encode() + b"\xff" + german.encode()) == f"{german}\ufffd{german}"
