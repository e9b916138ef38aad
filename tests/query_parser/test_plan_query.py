"""Query trees: terms by the kind of their index, what has nothing to search for, boosts, layers."""

import unicodedata

import pytest
from demo_table import plan
from hypothesis import given
from hypothesis import strategies as st
from shop_table import SHOP, query_of, shop_plan, tree

from engines.frames.words import words
from query_parser.plan_query import MAX_TERMS
from query_parser.plan_terms import MAX_CHARACTERS, pieces_with_words
from schemas.table import FieldSpec, FieldType, TableSchema, TermIndex


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("title_words:头盔", "title_words:'头盔'"),
        ("title_words:'red helmet'", "title_words:'red helmet'"),
        ('title_words:"red helmet"', 'title_words:"red helmet"'),
        ("words:helmet", "words:'helmet'"),
        ("names:'Red Helmet, 2'", "names:'Red Helmet, 2'"),
        ('names:"Red Helmet"', "names:'Red Helmet'"),
        ("stocks:5", "stocks:[5,5]"),
        ("stocks:'-5'", "stocks:[-5,-5]"),
        ('stocks:"5"', "stocks:[5,5]"),
        ("stocks:=5", "stocks:[5,5]"),
        ("stocks:>=5", "stocks:[5,None]"),
        ("stocks:<5", "stocks:[None,5)"),
        ("stocks:[1,5)", "stocks:[1,5)"),
        ("stocks:(,5]", "stocks:[None,5]"),
        ("prices:1.5", "prices:[1.5,1.5]"),
        ("prices:2", "prices:[2,2]"),
        ("id:123", "id:[123,123]"),
    ],
)
def test_a_term_is_what_its_index_is_of(query, expected):
    assert query_of(query) == expected


def test_a_key_that_is_a_text():
    fields = {**SHOP.schema.fields, "id": FieldSpec("id", FieldType.STRING)}
    schema = TableSchema(fields, "id", SHOP.schema.vector_indexes, {"key": TermIndex("key", "STRING", ("id",))})
    assert tree(plan("query=key:'A-1'", type(SHOP)("shop", schema)).query) == "key:'A-1'"


@pytest.mark.parametrize(
    ("query", "code", "marked"),
    [
        ("stocks:many", "NUMBER_RANGE_ERROR", "many"),
        ("stocks:1.5", "NUMBER_RANGE_ERROR", "1.5"),
        ("stocks:'5 6'", "NUMBER_RANGE_ERROR", "'5 6'"),
        ("words:[1,5]", "INDEX_TYPE_INVALID", "[1,5]"),
        ("names:>5", "INDEX_TYPE_INVALID", ">5"),
        ("vector:[1,5]", "INDEX_TYPE_INVALID", "[1,5]"),
        ('vector:"1,2"', "INDEX_TYPE_INVALID", '"1,2"'),
        ("nosuch:a", "INDEX_NOT_EXIST", "nosuch"),
        ("title:a", "INDEX_NOT_EXIST", "title"),
        ("helmet", "INDEX_NOT_EXIST", "helmet"),
        ("words:a AND nosuch:b", "INDEX_NOT_EXIST", "nosuch"),
    ],
)
def test_what_an_index_does_not_take(error_of, query, code, marked):
    assert error_of(f"query={query}", SHOP)[::2] == (code, marked)


def test_messages_name_what_there_is(error_of):
    known = "the table has: vector, id, title_words, words, names, stocks, prices"
    assert error_of("query=nosuch:a", SHOP)[1] == f"no index 'nosuch'; {known}"
    assert error_of("query=title:a", SHOP)[1] == f"no index 'title' (a field, but no index); {known}"
    assert "config=default_index:" in error_of("query=helmet", SHOP)[1]
    assert "config=default_index:" in error_of("query=helmet&&config=default_index:x", SHOP)[1]


def test_the_default_index_is_configs():
    assert query_of("helmet&&config=default_index:words") == "words:'helmet'"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("words:a RANK words:b", ["RANK", "words:'a'", "words:'b'"]),
        ("words:a RANK words:b RANK words:c", ["RANK", "words:'a'", "words:'b'", "words:'c'"]),
        ("words:a OR words:b RANK words:c", ["RANK", ["OR", "words:'a'", "words:'b'"], "words:'c'"]),
        ("words:a ANDNOT stocks:5", ["ANDNOT", "words:'a'", "stocks:[5,5]"]),
        ("words:a words:b RANK words:c", ["AND", "words:'a'", ["RANK", "words:'b'", "words:'c'"]]),
        ("words:'a'|'b'", ["OR", "words:'a'", "words:'b'"]),
        ("words:'a'&'b'|'c'", ["OR", ["AND", "words:'a'", "words:'b'"], "words:'c'"]),
        ("stocks:1|[5,9]", ["OR", "stocks:[1,1]", "stocks:[5,9]"]),
    ],
)
def test_operators(query, expected):
    assert query_of(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("words:'a'||'b'||'c'", ["OR", "words:'a'", "words:'b'", "words:'c'"]),
        ("words:('a'||'b'||'c')^2", [2, "words:'a'", "words:'b'", "words:'c'"]),
        ("words:('a'||'b'||'c')^3", ["AND", "words:'a'", "words:'b'", "words:'c'"]),
        ("words:('a'||'b'||'c')^9", ["AND", "words:'a'", "words:'b'", "words:'c'"]),
        ("words:('a'||'b'||'c')^0", ["OR", "words:'a'", "words:'b'", "words:'c'"]),
        ("words:('a'||'b'||'!')^3", ["AND", "words:'a'", "words:'b'"]),
        ("words:('a'|'b')^2", ["OR", "words:'a'", "words:'b'"]),
    ],
)
def test_a_minimum_counts_at_most_the_terms_there_are(query, expected):
    assert query_of(query) == expected


def test_vector_terms_join_as_others_do(error_of):
    first, second = "vector:VectorPayload(vectors=((1.0, 2.0),))", "vector:VectorPayload(vectors=((3.0, 4.0),))"
    assert query_of("vector:'1,2'|'3,4'") == ["OR", first, second]
    assert query_of("vector:'1,2'&'3,4'") == ["AND", first, second]
    assert query_of("vector:'1,2'||'3,4'") == ["OR", first, second]
    assert query_of("vector:('1,2'||'3,4')^2") == ["AND", first, second]
    code, _, marked = error_of("query=vector:('1,2'||'3,4'||'5,6')^2", SHOP)
    assert (code, marked) == ("INDEX_TYPE_INVALID", "'1,2'||'3,4'||'5,6'")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("words:helmet^50", "words:'helmet'^0.5"),
        ("words:helmet^0", "words:'helmet'^0"),
        ("words:helmet^100", "words:'helmet'"),
        ("stocks:5^250", "stocks:[5,5]^2.5"),
        ("vector:'1,2'^30", "vector:VectorPayload(vectors=((1.0, 2.0),))^0.3"),
    ],
)
def test_a_boost_is_a_weight_in_hundredths(query, expected):
    assert query_of(query) == expected


@pytest.mark.parametrize("term", ["words:a^-1", "stocks:5^-1", "vector:'1,2'^-1"])
def test_a_boost_below_zero_is_refused(error_of, term):
    assert error_of(f"query={term}", SHOP)[::2] == ("QUERY_INVALID", term.partition(":")[2])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("words[title]:a", "words[title:'a'"),
        ("words(title,body):a", "words(title,body:'a'"),
        ("[body]:a&&config=default_index:words", "words[body:'a'"),
        ("words(body):'a'|'b'", ["OR", "words(body:'a'", "words(body:'b'"]),
    ],
)
def test_fields_of_a_pack(query, expected):
    assert query_of(query) == expected


@pytest.mark.parametrize(
    ("query", "code", "marked"),
    [
        ("words(name):a", "INDEX_FIELD_INVALID", "name"),
        ("title_words(title):a", "INDEX_TYPE_INVALID", "title_words"),
        ("names[name]:a", "INDEX_TYPE_INVALID", "names"),
        ("stocks[stock]:5", "INDEX_TYPE_INVALID", "stocks"),
        ("vector[point]:'1,2'", "INDEX_TYPE_INVALID", "vector"),
        ("nosuch[title]:a", "INDEX_NOT_EXIST", "nosuch"),
    ],
)
def test_fields_that_an_index_does_not_have(error_of, query, code, marked):
    assert error_of(f"query={query}", SHOP)[::2] == (code, marked)


@pytest.mark.parametrize("empty", ["words:''", 'words:""', "words:'!?'", "names:''", "stocks:' '", "vector:' '"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("words:a AND EMPTY", "words:'a'"),
        ("EMPTY OR words:a", "words:'a'"),
        ("EMPTY words:a EMPTY words:b", ["AND", "words:'a'", "words:'b'"]),
        ("words:a ANDNOT EMPTY", "words:'a'"),
        ("words:a RANK EMPTY RANK words:b", ["RANK", "words:'a'", "words:'b'"]),
        ("(EMPTY AND EMPTY) OR words:a", "words:'a'"),
    ],
)
def test_terms_without_a_word_leave_the_tree(query, expected, empty):
    assert query_of(query.replace("EMPTY", empty)) == expected


def test_a_chain_keeps_the_terms_that_have_words():
    assert query_of("words:'a'|''|'b'") == ["OR", "words:'a'", "words:'b'"]
    assert query_of("words:'!'&'b'") == "words:'b'"


@pytest.mark.parametrize(
    ("query", "code", "marked"),
    [
        ("words:''", "NULL_QUERY", "words:''"),
        ("words:'' AND stocks:''", "NULL_QUERY", "words:'' AND stocks:''"),
        ("words:''|'!'", "NULL_QUERY", "words:''|'!'"),
        ("words:a;words:'!'", "NULL_QUERY", "words:'!'"),
        ("words:'' ANDNOT words:a", "QUERY_INVALID", "words:''"),
        ("words:'' RANK words:a", "QUERY_INVALID", "words:''"),
        ("words:b OR (words:'' ANDNOT words:a)", "QUERY_INVALID", "words:''"),
    ],
)
def test_a_query_needs_something_to_search_for(error_of, query, code, marked):
    assert error_of(f"query={query}", SHOP)[::2] == (code, marked)


@given(st.text())
def test_a_text_has_words_exactly_where_the_engines_find_some(text):
    assert any(pieces_with_words(text)) == bool(words(text))


@given(st.text(alphabet="aé 头盔!_-①ﬁ\u0301\ufe0f", max_size=12))
def test_the_pieces_of_a_text_have_its_words(text):
    pieces = list(pieces_with_words(text))
    assert [word for piece in pieces for word in words(piece)] == words(text)
    assert all(unicodedata.normalize("NFKC", text).count(piece) for piece in pieces)


def test_words_of_a_text_are_joined_by_the_default_operator():
    either = ["OR", "words:'red'", "words:'helmet'"]
    assert query_of("words:'red helmet'&&config=default_operator:OR") == either
    assert query_of("words:'red, helmet!' AND stocks:5&&config=default_operator:OR") == ["AND", either, "stocks:[5,5]"]
    assert query_of("words:'摩托车 头盔'&&config=default_operator:OR") == ["OR", "words:'摩托车'", "words:'头盔'"]
    assert query_of('words:"red helmet"&&config=default_operator:OR') == 'words:"red helmet"'
    assert query_of("names:'red helmet'&&config=default_operator:OR") == "names:'red helmet'"


def test_layers_are_searched_together():
    found = shop_plan("query=words:a;words:b OR words:c")
    assert tree(found.query) == ["OR", "words:'a'", ["OR", "words:'b'", "words:'c'"]]
    assert any("layers of the query" in note for note in found.notes)


def test_labels_and_chains_are_noted():
    found = shop_plan("query=(words:a)@one AND words:b#two")
    assert tree(found.query) == ["AND", "words:'a'", "words:'b'"]
    assert found.notes == ("the label @one has no effect here", "the chain #two has no effect here")
    assert found.warnings == ()


@pytest.mark.parametrize(("joined", "terms"), [("words:a OR ", 1), ("words:'a b c d' OR ", 4), ("vector:'1,2' OR ", 1)])
def test_terms_have_an_end(error_of, joined, terms):
    def text_of(last):
        return f"query={joined * (MAX_TERMS // terms - 1)}words:'{last}'&&config=default_operator:OR"

    last = " ".join("w" * terms)
    assert shop_plan(text_of(last)).query is not None
    code, message, _ = error_of(text_of(f"{last} x"), SHOP)
    assert (code, message) == ("QUERY_CLAUSE", f"the query has more than {MAX_TERMS} terms")


@pytest.mark.parametrize("index", ["words", "names"])
def test_texts_have_an_end(error_of, index):
    longest = "a" * MAX_CHARACTERS
    assert tree(shop_plan(f"query={index}:{longest}").query) == f"{index}:'{longest}'"
    code, message, _ = error_of(f"query={index}:{longest}a", SHOP)
    assert (code, message) == ("QUERY_INVALID", f"the text has {MAX_CHARACTERS + 1} characters, the most is 65536")
