"""Which language a passage is taken for."""

import pytest

from stages.ingest.language import language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("How do I reset my password?", "en"),
        ("Terms and conditions apply to all orders.", "en"),
        ("Wie setze ich mein Passwort zurück?", "de"),
        ("Der Vertrag kann jederzeit gekündigt werden.", "de"),
        ("كيف يمكنني إعادة تعيين كلمة المرور؟", "ar"),
        ("يمكن إنهاء العقد في أي وقت.", "ar"),
        ("如何重置我的密码？", "zh"),
        ("合同可以随时终止。", "zh"),
        ("契約はいつでも終了できます。", "ja"),
        ("これはテストです。", "ja"),
        ("Le contrat peut être résilié à tout moment.", "fr"),
        ("चुनाव में मैं अपना पासवर्ड कैसे रीसेट करूं?", "hi"),
        ("چگونه رمز عبور خود را بازنشانی کنم؟", "fa"),
        ("비밀번호를 어떻게 재설정합니까?", "ko"),
    ],
)
def test_a_sentence_is_enough(text: str, code: str) -> None:
    assert language(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Reset",
        "北京",
        "| 2019 | 2018 | 12.3 |\n| 33 | 44 | 55 |",
        '#include <stdio.h>\nint main(void) { printf("hi\\n"); return 0; }',
        "SELECT a.id, b.name FROM a JOIN b ON a.id = b.a_id WHERE b.x > 3;",
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}',
        "kubectl get pods -n kube-system -o wide",
        "\ud800" * 30,
    ],
)
def test_headings_tables_and_code_have_none(text: str) -> None:
    assert language(text) == ""


def test_the_beginning_decides() -> None:
    english = "The contract may be terminated at any time. " * 8
    german = "Der Vertrag kann jederzeit gekündigt werden. " * 80
    assert (language(english + german), language(german + english)) == ("en", "de")
