"""HA requests, good and broken: clauses joined at random, and mutations of requests that mean something."""

from hypothesis import strategies as st

GOOD = (
    "query=places:'1,2&n=3'&&config=start:0,hit:3,format:json&&cluster=general&&sort=+RANK;-id",
    "query=words:'头盔' AND (brands:'aq' OR places:'1,2') ANDNOT texts:\"a b\"#x&&filter=price>1 AND in(id,\"1|2\")",
    "config=hit:5,no_summary:yes,trace:INFO,kvpairs:a#b;c#d&&query=words:'头盔' RANK brands:'aq'&&kvpairs=mine:x",
    "query=places:'1,2'&&kvpairs=formula:proxima_score(places)&&sort=RANK;price*2&&pkfilter=1",
    "query=places:'1,2'&&aggregate=group_key:brand,agg_fun:count()#sum(price)#max(id),agg_filter:id>0,max_group:5",
    "query=places:'1,2'&&aggregate=group_key:price,range:1~4~10,agg_fun:count();group_key:[brand,id],agg_fun:min(id)",
    "query=places:'1,2'&&distinct=dist_key:brand,dist_count:1,dist_times:2,reserved:false,grade:0.5|1.5;none_dist",
    "query=places:'1,2'&&virtual_attribute=double:id*2;&&attribute=double,id,place,tags,labels&&rank=rank_profile:x",
    "config=fetch_summary_type:rawpk,allow_lack_summary:no&&fetch_summary=general:1,2",
    "query=places:'1,2'&&layer=range:id{1,[2,3]}*%other,quota:10#1;quota:UNLIMITED&&searcher_cache=use:yes,key:1",
    "query=prices:[1,50)&&level=level_type:both,min_docs:3&&analyzer=global_analyzer:x&&optimizer=name:x,option:y",
    "query=words:'头盔'&&rank_sort=sort:RANK#-id,percent:40;percent:60,sort:id&&final_sort=sort_name:x",
    "query=words:'头盔'&&healthcheck=check:true,check_times:2",
)
CLAUSES = st.sampled_from(
    [
        *(clause for request in GOOD for clause in request.split("&&")),
        *(
            "query=",
            "query=vector:'",
            "filter=((",
            "filter=",
            "sort=",
            "sort=;;",
            "kvpairs=a",
            "cluster=x",
            "aggregate=",
        ),
        *("config=start:0,hit:x", "config=format:xml", "config=format:protobuf", "config=", "attribute=nothing"),
        *("&&", "=", "\x00", "👍", "query=👍", "filter=\ufffe", "distinct=dist_key:,", "virtual_attribute=a:b;a:c"),
    ]
)
PIECES = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        ["&&", "'", '"', "(", ")", ":", ",", ";", "=", "^", "#", "[", "{", "\\", "\x00", "]]>", "AND", "-1"]
    ),
)


@st.composite
def mutated(draw):
    """A good request with up to three pieces cut out, put in or put in place of others."""
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


HA_TEXTS = st.one_of(st.text(max_size=60), st.lists(CLAUSES, max_size=6).map("&&".join), mutated())
