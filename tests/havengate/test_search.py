"""The search use case over the embedded engine, with a model whose space is colour."""

import base64
import io
import json
import threading

import pytest
from colour_model import picture
from PIL import Image
from support import photo_row

from havengate.codes import HaCode
from havengate.documents import Command
from havengate.errors import ModelError, PictureError, RequestError, UnknownTable
from havengate.types import (
    And,
    AndNot,
    Compare,
    Field,
    In,
    Literal,
    Or,
    PicturePayload,
    Rank,
    SearchPlan,
    SortKey,
    StoredIdPayload,
    TextPayload,
    VectorPayload,
    VectorTerm,
)
from schemas.settings import TableSettings
from schemas.templates import template
from schemas.vendor import read_schema

BEST_FIRST = {"rank": Rank("vector"), "sort": (SortKey(None, descending=False),)}


def by_text(text, **options):
    return VectorTerm("vector", TextPayload(text), **options)


def ids(result):
    return [hit.pk for hit in result.hits]


@pytest.mark.usefixtures("photos")
class TestSearch:
    def search(self, services, **plan):
        return services.searcher.search(SearchPlan("photos", **plan))

    def test_words_find_the_picture_they_name(self, services):
        result = self.search(services, query=by_text("green"), **BEST_FIRST)
        assert ids(result)[0] == "2"
        assert result.hits[0].score == pytest.approx(0, abs=1e-6)
        assert result.total == 3

    def test_a_cropped_picture_is_searched_by_its_middle_square(self, services):
        striped = Image.new("RGB", (90, 30), (0, 0, 255))
        striped.paste((0, 255, 0), (30, 0, 60, 30))
        out = io.BytesIO()
        striped.save(out, "PNG")
        base64_text = base64.b64encode(out.getvalue()).decode()
        found = [
            self.search(services, query=VectorTerm("vector", PicturePayload(base64_text, crop=crop)), **BEST_FIRST)
            for crop in (False, True)
        ]
        assert [ids(result)[0] for result in found] == ["3", "2"]
        assert found[1].hits[0].score == pytest.approx(0, abs=1e-6)

    def test_a_picture_finds_itself(self, services):
        payload = PicturePayload(base64.b64encode(picture("blue", "JPEG")).decode())
        result = self.search(services, query=VectorTerm("vector", payload), **BEST_FIRST)
        assert ids(result)[0] == "3"

    def test_a_stored_row_finds_itself(self, services):
        result = self.search(services, query=VectorTerm("vector", StoredIdPayload("3")), **BEST_FIRST)
        assert ids(result)[0] == "3"
        assert result.hits[0].score == 0

    def test_the_filter_applies_before_the_n_best(self, services):
        other = Compare("=", Field("cate_id"), Literal(2))
        result = self.search(services, query=by_text("red", n=1), filter=other)
        assert ids(result) == ["3"]
        (certificate,) = result.certificates
        assert (certificate.requested, certificate.matched, certificate.returned) == (1, 1, 1)
        assert certificate.cut_by is None

    def test_post_mode_filters_after_the_n_best_and_says_so(self, services):
        other = Compare("=", Field("cate_id"), Literal(2))
        result = self.search(services, query=by_text("red", n=1), filter=other, filter_mode="post")
        assert ids(result) == []
        assert result.certificates[0].cut_by == "filter_mode:post"

    def test_a_threshold_cuts_the_pool_and_says_so(self, services):
        result = self.search(services, query=by_text("red", score_threshold=0.5))
        assert ids(result) == ["1"]
        assert result.certificates[0].cut_by == "sf"

    def test_without_a_formula_rank_is_a_similarity_and_best_comes_first(self, services):
        result = self.search(services, query=by_text("red"))
        assert ids(result)[0] == "1"
        assert result.hits[0].sort_values[0] == pytest.approx(1)

    def test_descending_distance_is_taken_literally(self, services):
        result = self.search(services, query=by_text("red"), rank=Rank("vector"))
        assert ids(result)[-1] == "1"
        for ranked in (result, self.search(services, query=by_text("red"), **BEST_FIRST)):
            assert [hit.sort_values for hit in ranked.hits] == [(hit.score,) for hit in ranked.hits]

    def test_or_is_the_union_of_two_pools(self, services):
        result = self.search(services, query=Or((by_text("red", n=1), by_text("blue", n=1))))
        assert sorted(ids(result)) == ["1", "3"]
        assert len(result.certificates) == 2

    def test_and_is_the_intersection_and_adds_distances(self, services):
        result = self.search(services, query=And((by_text("red", n=2), by_text("yellow", n=2))), **BEST_FIRST)
        one = self.search(services, query=by_text("red"), **BEST_FIRST).hits[0].score
        two = self.search(services, query=by_text("yellow"), **BEST_FIRST).hits[0].score
        assert ids(result)[0] == "1"
        assert result.hits[0].score == pytest.approx(one + two)

    def test_andnot_takes_rows_away(self, services):
        result = self.search(services, query=AndNot(by_text("red", n=3), by_text("red", n=1)))
        assert sorted(ids(result)) == ["2", "3"]

    def test_several_vectors_in_one_term_keep_the_best_score(self, services):
        red, blue = [0.0] * 512, [0.0] * 512
        red[0], blue[2] = 1.0, 1.0
        payload = VectorPayload((tuple(red), tuple(blue)))
        result = self.search(services, query=VectorTerm("vector", payload, n=2), **BEST_FIRST)
        assert ids(result) == ["1", "3"]
        assert [hit.score for hit in result.hits] == [0, 0]

    def test_ties_follow_the_numeric_key(self, services, photos):
        more = [Command("add", photo_row(key, "red")) for key in (20, 100, 9)]
        services.documents.push(photos, more)
        result = self.search(services, query=by_text("red", n=4), **BEST_FIRST)
        assert ids(result) == ["1", "9", "20", "100"]

    def test_pages_neither_repeat_nor_skip(self, services):
        pages = [self.search(services, query=by_text("red"), offset=k, limit=1) for k in range(4)]
        assert [ids(page) for page in pages[:3]] == [[row] for row in ids(self.search(services, query=by_text("red")))]
        assert ids(pages[3]) == []

    def test_sorting_by_a_field_puts_missing_values_last(self, services):
        for descending, first in ((True, "2"), (False, "1")):
            result = self.search(services, query=by_text("red"), sort=(SortKey(Field("price"), descending),))
            assert ids(result)[0] == first
            assert ids(result)[-1] == "3"

    def test_without_a_query_all_matching_rows_are_the_pool(self, services):
        result = self.search(services, filter=In(Field("cate_id"), (Literal(1),)))
        assert ids(result) == ["1", "2"]
        assert result.certificates == ()

    def test_pictures_and_vectors_come_only_when_named(self, services):
        plain = self.search(services, query=by_text("red", n=1)).hits[0]
        assert "vector_source_image" not in plain.fields
        assert plain.vectors == {}
        named = self.search(
            services, query=by_text("red", n=1), output_fields=("id", "vector", "vector_source_image")
        ).hits[0]
        assert named.fields["vector_source_image"] == base64.b64encode(picture("red")).decode()
        assert named.vectors["vector"][0] == pytest.approx(1)

    def test_a_map_key_is_a_field(self, services):
        red = Compare("=", Field("tags", "colour"), Literal("red"))
        assert ids(self.search(services, filter=red)) == ["1"]

    @pytest.mark.parametrize(
        ("plan", "code"),
        [
            ({"query": by_text("red"), "offset": 4999, "limit": 2}, HaCode.OVER_RETURN_HITS_LIMIT),
            ({"query": by_text("red", n=10_001)}, HaCode.OVER_RETURN_HITS_LIMIT),
            ({"query": by_text("red", n=0)}, HaCode.OVER_RETURN_HITS_LIMIT),
            ({"query": by_text("  ")}, HaCode.NULL_QUERY),
            ({"query": by_text("x" * 5000)}, HaCode.QUERY_INVALID),
            ({"query": VectorTerm("nope", TextPayload("red"))}, HaCode.INDEX_NOT_EXIST),
            ({"query": VectorTerm("vector", VectorPayload(((1.0, 2.0),)))}, HaCode.QUERY_INVALID),
            ({"query": VectorTerm("vector", VectorPayload(((float("nan"),) * 512,)))}, HaCode.QUERY_INVALID),
            ({"query": VectorTerm("vector", VectorPayload(((1e39,) * 512,)))}, HaCode.QUERY_INVALID),
            ({"query": VectorTerm("vector", VectorPayload(()))}, HaCode.NULL_QUERY),
            ({"query": VectorTerm("vector", StoredIdPayload("77"))}, HaCode.QUERY_INVALID),
            ({"query": by_text("red", categories=("1",))}, HaCode.INDEX_FIELD_INVALID),
            ({"query": by_text("red"), "rank": Rank("other")}, HaCode.INDEX_NOT_EXIST),
            ({"sort": (SortKey(Field("labels"), True),)}, HaCode.EXPRESSION_WITH_MULTI_VALUE),
            ({"sort": (SortKey(None, True), SortKey(None, False))}, HaCode.SORT_SAME_EXPRESSION),
            ({"sort": (SortKey(Field("vector"), True),)}, HaCode.ATTRIBUTE_NOT_EXIST),
            ({"sort": (SortKey(Field("vector_source_image"), True),)}, HaCode.ATTRIBUTE_NOT_EXIST),
            ({"output_fields": ("nope",)}, HaCode.ATTRIBUTE_NOT_EXIST),
            ({"filter": Compare("=", Field("nope"), Literal(1))}, HaCode.ATTRIBUTE_NOT_EXIST),
            ({"filter": Compare("=", Field("tags"), Literal(1))}, HaCode.ATTRIBUTE_NOT_EXIST),
            ({"filter": Compare("=", Field("title", "x"), Literal(1))}, HaCode.ATTRIBUTE_NOT_EXIST),
            ({"filter": Compare("=", Field("cate_id"), Literal("1"))}, HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
            ({"filter": Compare("=", Literal("1"), Field("cate_id"))}, HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
            ({"filter": Compare("=", Field("title"), Literal(1))}, HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
            ({"filter": Compare("=", Field("title"), Field("price"))}, HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
            ({"filter": Compare("=", Field("labels"), Field("title"))}, HaCode.EXPRESSION_WITH_MULTI_VALUE),
            ({"filter": Compare("=", Literal(1), Literal(1))}, HaCode.EXPRESSION_LR_ALL_CONST_VALUE),
            ({"filter": In(Field("cate_id"), (Literal("x"),))}, HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
        ],
    )
    def test_a_plan_that_does_not_fit_the_table_is_refused(self, services, plan, code):
        with pytest.raises(RequestError) as caught:
            self.search(services, **plan)
        assert caught.value.code is code

    def test_an_unknown_table_is_refused(self, services):
        with pytest.raises(UnknownTable):
            services.searcher.search(SearchPlan("nope"))

    def test_a_broken_picture_is_refused(self, services):
        with pytest.raises(PictureError):
            self.search(services, query=VectorTerm("vector", PicturePayload("aGVsbG8=")))


def test_rows_of_another_model_are_never_compared(services, photos, model):
    """A changed model makes searches by words an error that says what to do; searches by vectors go on."""
    from havengate.types import Fingerprint

    model.fingerprint = Fingerprint("colour-2", "numpy")
    with pytest.raises(ModelError, match=r"built again \(havengate table rebuild "):
        services.searcher.search(SearchPlan(photos.name, query=by_text("red")))
    vector = VectorPayload(((1.0,) + (0.0,) * 511,))
    found = services.searcher.search(SearchPlan(photos.name, query=VectorTerm("vector", vector)))
    assert ids(found)[0] == "1"


class TestScores:
    """Rows whose vectors are pushed, so that every distance is known."""

    @pytest.fixture
    def vectors(self, services):
        def table(*firsts, **fields):
            spec = services.tables.create("v", template("base64"), TableSettings())
            rows = [{"id": key, "vector": [value] + [0.0] * 511, **fields} for key, value in firsts]
            assert services.documents.push(spec, [Command("add", row) for row in rows]).failures == ()
            return spec

        return table

    @staticmethod
    def near(*firsts, **options):
        payload = VectorPayload(tuple((value,) + (0.0,) * 511 for value in firsts))
        return VectorTerm("vector", payload, **options)

    def test_distances_too_small_for_a_similarity_still_order(self, services, vectors):
        vectors((1, 3e-9), (2, 2e-9), (3, 1e-9))
        for query in (self.near(0.0), Or((self.near(0.0), self.near(0.0)))):
            assert ids(services.searcher.search(SearchPlan("v", query))) == ["3", "2", "1"]

    def test_rows_of_one_rank_follow_the_next_sort_key(self, services, vectors):
        vectors((1, 1.0), (2, 0.0), (3, 1.0))
        plan = SearchPlan("v", self.near(0.0), sort=(SortKey(None, True), SortKey(Field("id"), descending=True)))
        assert ids(services.searcher.search(plan)) == ["2", "3", "1"]

    def test_the_certificate_names_each_cut_and_no_other(self, services, vectors):
        vectors((1, 1.0), (2, 2.0), cate_id=5)
        other = Compare("=", Field("cate_id"), Literal(6))

        def cut_by(term, **plan):
            return services.searcher.search(SearchPlan("v", term, **plan)).certificates[0].cut_by

        assert cut_by(self.near(0.0), filter_mode="post") is None
        assert cut_by(self.near(0.0, score_threshold=2.0), filter_mode="post") == "sf"
        assert cut_by(self.near(0.0), filter_mode="post", filter=other) == "filter_mode:post"
        assert cut_by(self.near(0.0, score_threshold=2.0), filter_mode="post", filter=other) == "filter_mode:post,sf"

    def test_what_only_takes_rows_away_gives_no_formula(self, services):
        create_two_indexes(services)
        one, two = VectorTerm("a", VectorPayload(((0.0, 0.0),))), VectorTerm("b", VectorPayload(((0.0, 0.0),)))
        with pytest.raises(RequestError) as caught:
            services.searcher.search(SearchPlan("two", AndNot(one, two), rank=Rank("b")))
        assert caught.value.code is HaCode.INDEX_NOT_EXIST

    def test_scores_of_two_indexes_add_up_as_similarities(self, services):
        create_two_indexes(services)
        one = VectorTerm("a", VectorPayload(((0.0, 0.0),)), n=1)
        two = VectorTerm("b", VectorPayload(((1.0, 1.0),)), n=2)
        result = services.searcher.search(SearchPlan("two", Or((one, two))))
        # Row 1: distance 0 on a, product 2 on b. Row 2: product 4 on b only, and no score on a.
        assert [(hit.pk, hit.sort_values[0]) for hit in result.hits] == [("2", 4.0), ("1", 3.0)]
        by_a = services.searcher.search(SearchPlan("two", Or((one, two)), **{**BEST_FIRST, "rank": Rank("a")}))
        assert [(hit.pk, hit.score) for hit in by_a.hits] == [("1", 0.0), ("2", None)]

    def test_or_keeps_the_larger_of_two_products(self, services):
        create_two_indexes(services)
        terms = tuple(VectorTerm("b", VectorPayload((vector,)), n=2) for vector in ((1.0, 1.0), (3.0, 0.0)))
        result = services.searcher.search(SearchPlan("two", Or(terms), rank=Rank("b")))
        assert [(hit.pk, hit.score) for hit in result.hits] == [("2", 6.0), ("1", 3.0)]

    def test_categories_belong_to_the_term_and_come_before_its_n_best(self, services):
        create_two_indexes(services, category=True)
        term = VectorTerm("a", VectorPayload(((0.0, 0.0),)), n=1, categories=("8",))
        for mode in ("pre", "post"):
            assert ids(services.searcher.search(SearchPlan("two", term, filter_mode=mode))) == ["2"]

    def test_limits_hold_for_every_dialect(self, services, vectors):
        vectors((1, 1.0))
        for plan in (
            {"query": Or((self.near(0.0),) * 1025)},
            {"query": self.near(*([0.0] * 1025))},
            {"filter": Or((Compare("=", Field("cate_id"), Literal(1)),) * 20_001)},
        ):
            with pytest.raises(RequestError, match=r"most is|more than"):
                services.searcher.search(SearchPlan("v", **plan))


def create_two_indexes(services, *, category=False):
    """Table `two`: index a by distance, b by product; rows 1 at ((0,0),(1,1)) and 2 at ((5,5),(2,2))."""
    parts = [{"field_name": "id"}, *([{"field_name": "cate_id"}] if category else [])]
    fields = [{"field_name": name, "field_type": "INT64"} for name in ("id", "cate_id")]
    fields += [{"field_name": f"{name}_v", "field_type": "FLOAT", "multi_value": True} for name in "ab"]
    indexes = [{"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id"}]
    for name, distance in (("a", "SquaredEuclidean"), ("b", "InnerProduct")):
        indexes.append(
            {
                "index_name": name,
                "index_type": "CUSTOMIZED",
                "index_fields": [*parts, {"field_name": f"{name}_v"}],
                "parameters": {"dimension": "2", "distance_type": distance},
            }
        )
    schema = read_schema(json.dumps({"fields": fields, "indexs": indexes}))
    spec = services.tables.create("two", schema, TableSettings())
    rows = [
        {"id": 1, "cate_id": 7, "a_v": [0, 0], "b_v": [1, 1]},
        {"id": 2, "cate_id": 8, "a_v": [5, 5], "b_v": [2, 2]},
    ]
    assert services.documents.push(spec, [Command("add", row) for row in rows]).failures == ()


def test_rows_that_change_under_a_search_are_never_mixed(services, photos, monkeypatch):
    """Every hit matches the filter, has the picture and vector of its own fields, and none is missing."""
    # The one row changes all the time, on a busy machine more often than most tables: no search gives up here.
    monkeypatch.setattr("havengate.search._READS", 10_000)
    stop = threading.Event()
    colours = {1: "red", 2: "green", 3: "blue"}

    def write():
        turn = 0
        while not stop.is_set():
            turn += 1
            kind = turn % 3 + 1
            services.documents.push(photos, [Command("add", photo_row(7, colours[kind], cate_id=kind))])
            if turn % 5 == 0:
                services.documents.push(photos, [Command("delete", {"id": 7})])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(300):
            kind = turn % 3 + 1
            plan = SearchPlan(
                "photos",
                by_text("red"),
                filter=And((Compare("=", Field("cate_id"), Literal(kind)), Compare("=", Field("id"), Literal(7)))),
                output_fields=("id", "cate_id", "vector", "vector_source_image"),
            )
            result = services.searcher.search(plan)
            assert len(result.hits) == result.total
            for hit in result.hits:
                assert hit.fields["cate_id"] == kind
                assert hit.vectors["vector"].argmax() == kind - 1
                assert hit.fields["vector_source_image"] == base64.b64encode(picture(colours[kind])).decode()
            for row in services.documents.fetch(photos, [7], include_vector=False, output_fields=plan.output_fields):
                assert row.fields["vector_source_image"]
    finally:
        stop.set()
        writer.join()
