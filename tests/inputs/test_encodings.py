"""Text that is not UTF-8: read as what it is, with a remark that says so; what is no text stays binary."""

import os
import zlib
from pathlib import Path

import pytest

from exai_trio.workspace.decoding import decoded
from exai_trio.workspace.read import FileReader

pytestmark = pytest.mark.real

# The first article of the Universal Declaration of Human Rights.
TEXTS = {
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen"
    " einander im Geiste der Brüderlichkeit begegnen. Größe, Straße, müssen, für, können, zurück, Schlüssel, über, ändern.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et"
    " doivent agir les uns envers les autres dans un esprit de fraternité. Où est passé le garçon ? Déjà là-bas, à côté du hôtel.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben"
    " comportarse fraternalmente los unos con los otros. El niño comió también una piña; ¿cuándo volverá? Mañana, según dijo.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de consciência, devem agir"
    " uns para com os outros em espírito de fraternidade. A função não está disponível até à conclusão da operação.",
    "sv": "Alla människor är födda fria och lika i värde och rättigheter. De är utrustade med förnuft och samvete och bör handla"
    " gentemot varandra i en anda av broderskap. Filen kunde inte öppnas på grund av ett okänt fel när den lästes.",
    "is": "Hver maður er borinn frjáls og jafn öðrum að virðingu og réttindum. Menn eru gæddir vitsmunum og samvisku, og ber þeim að"
    " breyta bróðurlega hverjum við annan. Það er ekki hægt að opna skrána því að hún er þegar í notkun.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i sumieniem i"
    " powinni postępować wobec innych w duchu braterstwa. Nie można otworzyć pliku, ponieważ jest już używany przez źródło.",
    "cs": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím a mají spolu jednat"
    " v duchu bratrství. Soubor nelze otevřít, protože jej již používá jiný proces; zkuste to prosím později znovu.",
    "hu": "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és lelkiismerettel bírván,"
    " egymással szemben testvéri szellemben kell hogy viseltessenek. A fájl nem nyitható meg, mert már használatban van.",
    "lt": "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis. Jiems suteiktas protas ir sąžinė ir jie turi elgtis vienas kito"
    " atžvilgiu kaip broliai. Nepavyko atidaryti failo, nes jį jau naudoja kitas procesas; bandykite dar kartą vėliau.",
    "lv": "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās. Viņi ir apveltīti ar saprātu un sirdsapziņu, un"
    " viņiem jāizturas citam pret citu brālības garā. Failu nevar atvērt, jo to jau izmanto cits process.",
    "tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve birbirlerine karşı"
    " kardeşlik zihniyeti ile hareket etmelidirler. Dosya açılamadı çünkü başka bir işlem tarafından kullanılıyor; lütfen yeniden deneyin.",
    "vi": "Mọi người sinh ra đều được tự do",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и должны поступать"
    " в отношении друг друга в духе братства. Не удалось открыть файл: он уже используется другим процессом.",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю і повинні діяти у"
    " відношенні один до одного в дусі братерства. Не вдалося відкрити файл, оскільки його вже використовує інший процес.",
    "bg": "Всички хора се раждат свободни и равни по достойнство и права. Те са надарени с разум и съвест и следва да се отнасят"
    " помежду си в дух на братство. Файлът не може да бъде отворен, защото вече се използва от друг процес.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λογική και"
    " συνείδηση, και οφείλουν να συμπεριφέρονται μεταξύ τους με πνεύμα αδελφοσύνης. Το αρχείο δεν μπορεί να ανοίξει.",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש ברעהו"
    " ברוח של אחווה. לא ניתן לפתוח את הקובץ משום שהוא כבר נמצא בשימוש של תהליך אחר.",
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا بروح الإخاء."
    " تعذر فتح الملف لأنه مستخدم من قبل عملية أخرى، يرجى المحاولة مرة أخرى لاحقا.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ"
    " ไม่สามารถเปิดไฟล์ได้เนื่องจากกำลังถูกใช้งานโดยโปรแกรมอื่น",
    "zh": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。无法打开文件,因为它正被另一个进程使用。",
    "tw": "人人生而自由,在尊嚴和權利上一律平等。他們賦有理性和良心,並應以兄弟關係的精神相對待。無法開啟檔案,因為它正被另一個程序使用。",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、"
    "互いに同胞の精神をもって行動しなければならない。ファイルを開くことができません。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의"
    " 정신으로 행동하여야 한다. 다른 프로세스가 사용 중이므로 파일을 열 수 없습니다.",
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act"
    " towards one another in a spirit of brotherhood.",
}  # fmt: skip

ENCODINGS = [
    ("zh", "gbk"), ("zh", "gb2312"), ("zh", "gb18030"), ("tw", "big5"), ("tw", "cp950"), ("tw", "big5hkscs"),
    ("ja", "shift_jis"), ("ja", "cp932"), ("ja", "euc_jp"), ("ja", "iso2022_jp"), ("ja", "euc_jis_2004"),
    ("ko", "euc_kr"), ("ko", "cp949"), ("ko", "johab"), ("ko", "iso2022_kr"),
    ("ru", "cp1251"), ("ru", "koi8_r"), ("ru", "iso8859_5"), ("ru", "cp866"), ("ru", "mac_cyrillic"), ("ru", "cp855"),
    ("uk", "cp1251"), ("uk", "koi8_u"), ("uk", "cp1125"), ("bg", "cp1251"), ("bg", "iso8859_5"),
    ("el", "cp1253"), ("el", "iso8859_7"), ("el", "cp737"), ("el", "cp869"),
    ("he", "cp1255"), ("he", "iso8859_8"), ("he", "cp862"), ("ar", "cp1256"), ("ar", "iso8859_6"), ("ar", "cp720"),
    ("th", "tis_620"), ("th", "cp874"), ("th", "iso8859_11"),
    ("tr", "cp1254"), ("tr", "iso8859_9"), ("tr", "cp857"), ("lt", "cp1257"), ("lt", "iso8859_13"), ("lv", "cp775"),
    ("lv", "iso8859_4"), ("lv", "cp1257"),
    ("pl", "cp1250"), ("pl", "iso8859_2"), ("pl", "cp852"), ("pl", "mac_latin2"), ("cs", "cp1250"), ("cs", "iso8859_2"),
    ("cs", "cp852"), ("hu", "cp1250"), ("hu", "iso8859_2"),
    ("de", "cp1252"), ("de", "iso8859_1"), ("de", "iso8859_15"), ("de", "cp850"), ("de", "cp437"), ("fr", "cp1252"),
    ("fr", "iso8859_1"), ("fr", "cp850"), ("es", "cp1252"), ("es", "iso8859_1"), ("es", "cp437"), ("pt", "cp1252"),
    ("sv", "cp1252"), ("sv", "cp865"), ("is", "cp1252"), ("is", "cp861"), ("fr", "mac_roman"),
    ("en", "cp037"), ("en", "cp500"), ("de", "utf_16_le"), ("ru", "utf_16_be"), ("zh", "utf_16_le"), ("en", "utf_16_be"),
    ("ja", "utf_32_le"), ("el", "utf_32_be"),
]  # fmt: skip

CODE = (
    """\
def total(values):
    return sum(values)
class Node:
    def __init__(self, key):
        self.key = key
for name in names:
    print(name)
"""
    * 8
)


def known(text, encoding):
    """The text as far as that encoding has its letters."""
    return text.encode(encoding, "ignore").decode(encoding)


def shapes(text):
    """The text alone, as comments, and as the only lines beyond ASCII in much code."""
    words = text.split(" ") if " " in text else [text]
    lines = [" ".join(words[at : at + 9]) for at in range(0, len(words), 9)]
    commented = "".join(f"x = {number}\n# {line}\n" for number, line in enumerate(lines))
    return {"text": f"{text}\n", "comments": commented, "in code": f"{CODE}# {text}\n{CODE}"}


@pytest.mark.parametrize("shape", ["text", "comments", "in code"])
@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_a_text_is_read_in_its_encoding(language, encoding, shape):
    """Each letter as it was written, alone and between code, and the remark names an encoding."""
    text = shapes(known(TEXTS[language], encoding))[shape]
    found = decoded(text.encode(encoding))

    assert found is not None
    assert text == found.text
    assert "not UTF-8, read as " in found.remark


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be", "utf-32-be"])
def test_a_byte_order_mark_decides(mark):
    """It is no part of the text, and no library is asked."""
    content = TEXTS["zh"].encode(mark)
    if mark.endswith("-be"):
        content = "\ufeff".encode(mark) + content
    found = decoded(content)

    assert (TEXTS["zh"], 0) == (found.text, found.lost)
    assert ("read as" in found.remark) == (mark != "utf-8-sig")


def test_plain_utf_8_says_nothing():
    """Whatever it holds: U+FFFD of its own, colours of a terminal, a NUL far behind."""
    for text in (
        *TEXTS.values(),
        "",
        "a\ufffdb",
        "\x1b[31mred\x1b[0m\x1b(B",
        "~{~a~^, ~}",
        "x" * 9000 + "\0",
    ):
        found = decoded(text.encode())
        assert (text, "") == (found.text, found.remark)


def test_utf_8_with_damaged_places_stays_utf_8():
    """What was cut or overwritten is counted byte by byte; the rest is whole."""
    content = TEXTS["ru"].encode()
    found = decoded(content[:101] + b"\xff\xfe" + content[102:-1])

    assert found.encoding == "UTF-8"
    assert found.lost == found.text.count("\ufffd") > 0
    assert f"{found.lost} undecodable byte(s) shown as U+FFFD" == found.remark
    assert found.text.endswith("другим процессом")


@pytest.mark.parametrize(
    ("language", "encoding"), [("zh", "gbk"), ("ja", "euc_jp"), ("ko", "euc_kr"), ("tw", "big5")]
)
@pytest.mark.parametrize("damage", ["cut", "filled"])
def test_damaged_places_of_other_encodings_are_counted(language, encoding, damage):
    """A text that is cut in the middle of a character, or has bytes of a blank disk in it, is read with marks in their place."""
    text = known(TEXTS[language], encoding)
    cut = damage == "cut"
    parts = text[:40].encode(encoding), text[40:].encode(encoding)
    found = decoded(text[:-1].encode(encoding)[:-1] if cut else b"\xff\xff".join(parts))

    assert found.text.replace("\ufffd", "") == (text[:-2] if cut else text)
    assert found.lost == found.text.count("\ufffd") == (1 if cut else 2)
    assert f"{found.lost} undecodable byte(s)" in found.remark


FEW = [
    "/* Copyright © 2004 Foo */\nint x;", "// Müller 2004", "# 25 °C", "§ 3", "x = 3  # µs", "naïve café", "cost: 5 €", "Jörg",
    "“quoted” text", "it’s", "façade", "résumé", "Ångström", "– dash", "• item", "½ cup", "Gödel", "señor", "Größe",
]  # fmt: skip


@pytest.mark.parametrize("text", FEW)
@pytest.mark.parametrize("times", [1, 20])
def test_a_name_or_a_sign_in_english_is_western(text, times):
    """One or two letters tell nothing to statistics; what they most often are is taken, and said."""
    whole = f"{CODE}{text}\n" * times
    found = decoded(whole.encode("cp1252"))

    assert whole == found.text
    assert "not UTF-8, read as " in found.remark


CASES = {
    "gbk.c": ("/* 计算两个数的和，返回结果 */\nint add(int a, int b) { return a + b; }\n", "gbk"),
    "latin1.py": ("# Größe über alles\nx = 1\nx = 1\n", "latin-1"),
    "few_accents.py": ("x = 1\n" * 30 + "# naïve café\n", "latin-1"),
    "utf16le.txt": ("alpha Größe 你好\nbeta\n", "utf-16"),
}


@pytest.mark.parametrize("name", CASES)
async def test_files_of_reports_are_read(tmp_path, name):
    """The text, and a remark that it was not UTF-8."""
    text, encoding = CASES[name]
    (tmp_path / name).write_bytes(text.encode(encoding))
    root = tmp_path.resolve()
    (found,) = await FileReader().read([str(root / name)], (root,))

    assert text == found.text
    assert "not UTF-8, read as " in found.remark


def pseudo_random(size):
    return b"".join(zlib.compress(str(number).encode() * 7)[2:] for number in range(size // 8))[
        :size
    ]


BINARIES = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 4,
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(range(255, 0, -1)) * 4,
    "gif": b"GIF89a\x10\0\x10\0" + bytes(range(256)),
    "zip": b"PK\3\4\x14\0\0\0\x08\0" + zlib.compress(TEXTS["de"].encode() * 9),
    "gzip": b"\x1f\x8b\x08\0" + zlib.compress(TEXTS["ru"].encode() * 9),
    "zlib": zlib.compress("".join(TEXTS.values()).encode()),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj stream\n" + zlib.compress("".join(TEXTS.values()).encode()),
    "pyc": compile(CODE, "a", "exec").co_code * 20,
    "elf": Path("/proc/self/exe").read_bytes()[:200_000],
    "elf without its head": Path("/proc/self/exe").read_bytes()[4096:200_000],
    "numbers": b"".join(number.to_bytes(4, "little") for number in range(5000)),
    "wide numbers": b"".join(number.to_bytes(2, "little") for number in range(5000)),
    "one NUL": b"text\0",
    "two bytes": b"\0\1",
    "every high byte": bytes(range(128, 256)) * 4,
    "no NUL": bytes(range(1, 256)) * 8,
    "a UTF-16 mark and rubbish": b"\xff\xfe" + bytes(range(1, 256)) * 8,
    "pseudo-random": pseudo_random(4000),
    "pseudo-random without NUL": pseudo_random(4000).replace(b"\0", b""),
}  # fmt: skip


@pytest.mark.parametrize("kind", BINARIES)
async def test_what_is_no_text_is_binary(tmp_path, kind):
    """Nothing of it is shown, and the reason says that it is binary."""
    (tmp_path / "file").write_bytes(BINARIES[kind])
    root = tmp_path.resolve()
    (found,) = await FileReader().read([str(root / "file")], (root,))

    assert ("", "") == (found.text, found.remark)
    assert found.reason.startswith("binary")


def test_a_pyc_of_this_python_is_binary():
    """As found beside every source."""
    cached = Path(os.__file__).parent / "__pycache__"
    for each in sorted(cached.glob("*.pyc"))[:20]:
        assert decoded(each.read_bytes()[:100_000]) is None


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS[::6])
async def test_uploads_stay_bytes(tmp_path, language, encoding):
    """What is given to a provider is what lies on the disk."""
    content = known(TEXTS[language], encoding).encode(encoding)
    (tmp_path / "file").write_bytes(content)
    root = tmp_path.resolve()
    async with FileReader().opened(str(root / "file"), (root,), lambda size, name: None) as opened:
        assert content == opened.file.read()
