"""The inside of a vector term: options, vectors, categories, words, pictures."""

import pytest
from demo_table import Table, plan, schema

from havengate import bind
from havengate.types import PicturePayload, TextPayload, VectorPayload
from query_parser.plan_query import MAX_TERMS
from query_parser.vector_term import MAX_VECTORS
from schemas.settings import TableSettings


def term(content, *tables):
    return plan(f"query=vector:'{content}'", *tables).query


def words(content, **settings):
    payload = term(f"{content}&modal=text", Table(settings=TableSettings(**settings))).payload
    assert isinstance(payload, TextPayload)
    return payload.text


def test_options_are_peeled_from_the_right():
    found = term('a & b&modal=text&n=7&sf=0.5&search_params={"ef":"&n=1"}')
    assert (found.payload, found.n, found.score_threshold) == (TextPayload("a & b"), 7, 0.5)
    assert found.search_params == {"ef": "&n=1"}


def test_options_may_be_left_out():
    found = term("1,2,3&sf=-4")
    assert (found.n, found.score_threshold, found.search_params) == (100, -4.0, {})


def test_search_params_have_no_effect_and_say_so():
    assert plan("query=vector:'1,2,3&search_params={}'").warnings == ()
    given = """query=vector:'1,2,3&search_params={"x":1}'"""
    assert "no effect" in plan(given).warnings[0]
    assert "no effect" in plan(given, Table(settings=TableSettings(strict=True))).warnings[0]


@pytest.mark.parametrize(
    ("content", "code", "marked"),
    [
        ("1,2,3&sf=1&n=5", "QUERY_CLAUSE", "&n="),
        ("1,2,3&search_params={}&n=5", "QUERY_CLAUSE", "&n="),
        ("1,2,3&n=5&n=6", "QUERY_CLAUSE", "&n="),
        ("1,2,3&sf=5&sf=6", "QUERY_CLAUSE", "&sf="),
        ("a&n=5&modal=text", "QUERY_CLAUSE", "&modal="),
        ("a&modal=text&modal=text", "QUERY_CLAUSE", "&modal="),
        ("a&modal=text&top=5", "QUERY_CLAUSE", "&top="),
        ("1,2,3&top=5&n=5", "QUERY_CLAUSE", "&top="),
        ("a&modal=video", "QUERY_CLAUSE", "video"),
        ("1,2,3&n=ten", "QUERY_CLAUSE", "ten"),
        ("1,2,3&n=", "QUERY_CLAUSE", ""),
        ("1,2,3&n=0", "QUERY_INVALID", "0"),
        ("1,2,3&n=-5", "QUERY_INVALID", "-5"),
        ("1,2,3&n=10001", "OVER_RETURN_HITS_LIMIT", "10001"),
        ("1,2,3&sf=low", "QUERY_CLAUSE", "low"),
        ("1,2,3&sf=nan", "QUERY_INVALID", "nan"),
        ("1,2,3&sf=1e999", "QUERY_INVALID", "1e999"),
        ("1,2,3&search_params=[]", "QUERY_CLAUSE", "[]"),
        ("1,2,3&search_params={", "QUERY_CLAUSE", "{"),
        ("1,2,3&search_params=" + "[" * 100_000, "QUERY_CLAUSE", "[" * 100_000),
        ("&n=5", "NULL_QUERY", ""),
        ("&modal=text", "NULL_QUERY", ""),
        ("1,2", "QUERY_INVALID", "1,2"),
        ("1,2,3;1,2", "QUERY_INVALID", "1,2"),
        ("1,x,3", "QUERY_INVALID", "x"),
        ("1,,3", "QUERY_INVALID", ""),
        ("1,2,nan", "QUERY_INVALID", "1,2,nan"),
        ("1,2,-inf", "QUERY_INVALID", "1,2,-inf"),
        ("1,2,1e39", "QUERY_INVALID", "1,2,1e39"),
        ("1,2,1_0", "QUERY_INVALID", "1_0"),
        ("1,2,３", "QUERY_INVALID", "３"),
        ("motorcycle helmet", "QUERY_INVALID", "motorcycle helmet"),
        ("1,#1,2,3", "QUERY_CLAUSE", "1,"),
        ("1#1,2,3;2#1,2,3", "QUERY_CLAUSE", "1#1,2,3;2#1,2,3"),
    ],
)
def test_wrong_terms_are_marked_where_they_are_wrong(error_of, content, code, marked):
    found, _, part = error_of(f"query=vector:'{content}'")
    assert (found, part) == (code, marked)


def test_a_wrong_dimension_names_both(error_of):
    message = error_of("query=vector:'1,2'")[1]
    assert message == "the query vector has dimension 2, index 'vector' has 3"


def test_words_without_modal_get_a_hint(error_of):
    assert "&modal=text" in error_of("query=vector:'helmet'")[1]


def test_vectors():
    assert term("0.1, -2,3e-2").payload == VectorPayload(((0.1, -2.0, 0.03),))
    assert term("1,2,3;4,5,6&n=2").payload == VectorPayload(((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))


def test_vectors_have_an_end(error_of):
    many = ";".join(["1,2,3"] * (MAX_VECTORS + 1))
    assert error_of(f"query=vector:'{many}'")[:2] == ("QUERY_INVALID", f"more than {MAX_VECTORS} vectors in one term")


def test_the_delimiter_is_the_indexs():
    assert term("1 2 3", Table(schema=schema(delimiter=" "))).payload == VectorPayload(((1.0, 2.0, 3.0),))


def test_vectors_are_url_decoded():
    assert term("0.1%2C2%2C+3%26n%3D5").payload == VectorPayload(((0.1, 2.0, 3.0),))
    assert term("0.1%2C2%2C+3%26n%3D5").n == 5


def test_categories():
    assert term("7,shoes#1,2,3").categories == ("7", "shoes")
    assert term("7#1,2,3;7#4,5,6").categories == ("7",)


def test_categories_need_a_category_field(error_of):
    table = Table(schema=schema(category_field=None))
    assert error_of("query=vector:'7#1,2,3'", table)[::2] == ("INDEX_FIELD_INVALID", "7")


def test_pictures_pass_through_untouched():
    assert term("ab+/ cd%3D==&modal=image&n=3").payload == PicturePayload("ab+/ cd%3D==")


def test_a_picture_of_three_megabytes_is_intact():
    payload = "ABCD+/ab" * (3 * 2**17)
    assert term(f"{payload}&modal=image&n=10").payload == PicturePayload(payload)


@pytest.mark.parametrize(
    "text",
    ["cat", "test", "word", "helmet", "Weighted", "dynamics", "red shoes", "摩托车", "R&B", "motorcycle helmet", "a=b"],
)
def test_words_stay_words(text):
    assert words(text) == text


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        ("54yr", "猫"),
        ("5pGp5omY6L2mJuWktOeblA==", "摩托车&头盔"),
        ("dGVzdA==", "test"),
        ("cmVkIHNob2Vz", "red shoes"),
        ("44Gt44GT", "ねこ"),
        ("6rOg7JaR", "고양"),
        ("77yM54yr", "，猫"),
    ],
)
def test_base64_is_recognised(encoded, text):
    assert words(encoded) == text


@pytest.mark.parametrize(
    "text", ["5pGp5omY6L2mJuWktOeblB==", "5pGp5omY6L2mJuWktOeblA=", "/////w==", "cmVkIHN", "cmVkc2hvZXMx"]
)
def test_what_is_not_strictly_base64_of_utf8_stays(text):
    assert words(text) == text


def test_blanks_may_stand_for_plus():
    assert words("8J+QsSDnjKs=") == "🐱 猫"
    assert words("8J QsSDnjKs=") == "🐱 猫"


def test_the_setting_decides(error_of):
    assert words("54yr", text="plain") == "54yr"
    assert words("dGVz", text="base64") == "tes"
    table = Table(settings=TableSettings(text="base64"))
    assert error_of("query=vector:'red shoes!&modal=text'", table)[::2] == ("QUERY_INVALID", "red shoes!")


def test_escapes_are_undone_and_errors_then_mark_the_whole_term(error_of):
    assert words(r"it\'s") == "it's"
    assert error_of(r"query=vector:'it\'s&modal=video'")[2] == r"'it\'s&modal=video'"


def test_the_parser_takes_what_a_plan_may_hold():
    assert MAX_VECTORS >= bind.MAX_VECTORS
    assert MAX_TERMS >= bind.MAX_TERMS
