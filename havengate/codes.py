"""HA3 error codes: numbers, names and phrases as in the engine (havenask v0.3.0, ha3/common/ErrorDefine.ed)."""

from __future__ import annotations

from enum import IntEnum


class HaCode(IntEnum):
    """A code; its name is the engine's without ERROR_, its phrase the engine's own (empty where it has none)."""

    phrase: str

    def __new__(cls, value: int, phrase: str = "") -> HaCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.phrase = phrase
        return member

    GENERAL = 2, "general error."
    CLUSTER_NAME_NOT_EXIST = 1001, "ConfigClause: cluster name not exist."
    KEY_VALUE_PAIR = 1002, "RequestParser: key/value pair parse error."
    MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE = 1004, "ConfigClause: multi cluster names have different table schema."
    OVER_RETURN_HITS_LIMIT = 1005, "ConfigClause: sum of start offset and hits greater than limit."
    UNSUPPORT_RESULT_FORMAT = 1007, "ConfigClause: unsupported result format."
    NULL_QUERY = 1010, "QueryClause: null query."
    NO_QUERY_CLAUSE = 1012, "QueryClause: clause not exist."
    INDEX_NOT_EXIST = 1013, "QueryClause: index not exist."
    NUMBER_RANGE_ERROR = 1014, "QueryClause: number range error."
    INDEX_TYPE_INVALID = 1016, "QueryClause: index type not right."
    INDEX_FIELD_INVALID = 1017, "QueryClause: index field not right."
    FILTER_EXPRESSION_NOT_BOOL = 1020, "FilterClause: expression is not boolean."
    INVALID_REFRESH_ATTRIBUTE = 1021, "SearcherCacheClause: use not exist attribute!"
    SORT_EXPRESSION_TYPE_BOOL = 1030, "SortClause: expression must not be boolean."
    SORT_NO_DESCRIPTION = 1031, "SortClause: sort description not exist."
    SORT_SAME_EXPRESSION = 1032, "SortClause: two sort descriptions with the same expression."
    QUERY_INVALID = 1033, "QueryClause: query is invalid."
    AGG_FUN_EXPR_RESULT_TYPE = 1040, "AggregateClause: agg function expression must not be boolean or string."
    AGG_RANGE_ORDER = 1041, "AggregateClause: aggregate range must ascend."
    AGG_RANGE_TYPE = 1042, "AggregateClause: aggregate range type error."
    EMPTY_QUERY_STRING = 1050, "Parse error: Query string is empty."
    QUERY_CLAUSE = 1051, "Query clause error."
    FILTER_CLAUSE = 1052, "Filter clause error."
    AGGREGATE_CLAUSE = 1053, "Aggregate clause error."
    SORT_CLAUSE = 1054, "Sort clause error."
    DISTINCT_CLAUSE = 1055, "Distinct clause error."
    UNKNOWN_CLAUSE = 1056, "Error: Unknown clause."
    PART_MODE_INVALID_PARTID = 1057, "Invalid target partition ids."
    HASH_MODE_EMPTY_FIELD = 1058, "empty hash field."
    HASH_MODE_INVALID_FIELD = 1059, "invalid hash field."
    NO_DOT_FIELD_BOOST = 1060, "RankClause: No dot in field boost."
    FIELD_BOOST_CONFIG = 1061, "RankClause: Field boost config error."
    FIELD_BOOST_NUMBER = 1062, "RankClause: Field boost number error."
    UNKNOWN_KEY = 1063, "RankClause: Unknown key."
    PKFILTER_CLAUSE = 1064, "PKFilter clause error."
    PARSE_RANK_HINT = 1066, "RankClause: Invalid rank hint."
    PARSE_SYNTAX = 1068, "Parse syntax error."
    DISTINCT_COUNT = 1070, "DistinctClause: distinct number error."
    DISTINCT_TIMES = 1071, "DistinctClause: distinct times error."
    DISTINCT_RESERVED_FLAG = 1072, "DistinctClause: Distinct reserved flag error."
    DISTINCT_MISS_KEY = 1073, "DistinctClause: Distinct miss key error."
    DISTINCT_EXPRESSION_TYPE_BOOL = 1074, "DistinctClause: Distinct key expression bool type error."
    DISTINCT_GRADE = 1075, "DistinctClause: distinct grade error."
    DISTINCT_DESC_COUNT = 1076, "DistinctClause: Distinct description count error."
    DISTINCT_MAX_ITEM_COUNT = 1077, "DistinctClause: Distinct max_item_count error."
    DISTINCT_UPDATE_TOTAL_HIT_FLAG = 1078, "DistinctClause: Distinct update total hit flag error."
    AUX_FILTER_CLAUSE = 1080, "AuxFilter clause error."
    NO_SCAN_JOIN_CLUSTER_NAME = 1082, "No ScanJoinCluster cannot execute aux query or filter"
    ATTRIBUTE_NOT_EXIST = 2000, "attribute not exist."
    EXPRESSION_LR_TYPE_NOT_MATCH = 2001, "left & right expression type not matched."
    EXPRESSION_LR_ALL_CONST_VALUE = 2002, "left & right expression are both const expression."
    LOGICAL_EXPR_LR_TYPE_ERROR = 2004, "left & right ExprResultType is not vt_bool."
    STRING_IN_BINARY_EXPRESSION = 2005, "string in binary expression is not supported."
    EXPRESSION_RESULT_UNKNOWN_TYPE = 2006, "unknown expression result type."
    EXPRESSION_WITH_MULTI_VALUE = 2007, "expression with a multi-value field is not supported."
    STRING_EXPRESSION_NOT_SUPPORT = 2008, "string attribute expression is not supported."
    BIT_UNSUPPORT_TYPE_ERROR = 2010, "bit expression type is not supported."
    CONST_EXPRESSION_VALUE = 2011, "const value error."
    CLUSTER_CLAUSE = 2013
    CLUSTER_PART_MODE_CONFIG = 2015
    CLUSTER_PART_MODE_NAME = 2017
    CLUSTER_NAME_NOT_EXIST_IN_CLUSTER_CLAUSE = 2019, "ClusterClause: cluster name not exist."
    CONFIG_CLAUSE_START_VALUE = 2022
    CONFIG_CLAUSE_HIT_VALUE = 2023
    CONFIG_CLAUSE_RANKSIZE = 2024
    CONFIG_CLAUSE_RERANKSIZE = 2025
    CONFIG_CLAUSE_TIMEOUT = 2026
    CONFIG_CLAUSE_FETCH_SUMMARY_TYPE = 2027
    CONFIG_CLAUSE_PROTO_FORMAT_OPTION = 2028
    CONFIG_CLAUSE_RESEARCH_THRESHOLD = 2029
    CONFIG_CLAUSE_JOIN_TYPE = 2030
    CONFIG_CLAUSE_SUB_DOC_DISPLAY_TYPE = 2031
    CONFIG_CLAUSE_VERSION = 2032
    CONFIG_CLAUSE_TOTALRANKSIZE = 2033
    CONFIG_CLAUSE_TOTALRERANKSIZE = 2034
    LAYER_CLAUSE = 2040
    LAYER_CLAUSE_ATTRIBUTE_NOT_SEQUENCE = 2041, "attribute is not sequence in layer clause"
    RANGE_LESS_THAN_ZERO = 2042, "layer range or value less than 0"
    HEALTHCHECK_CLAUSE = 2050
    HEALTHCHECK_CHECK_FLAG = 2051
    HEALTHCHECK_CHECK_TIMES = 2053
    HEALTHCHECK_RECOVER_TIME = 2054
    VIRTUALATTRIBUTE_CLAUSE = 2070
    FETCH_SUMMARY_CLAUSE = 2080
    FETCH_SUMMARY_GID_FORMAT = 2081
    PARSE_KVPAIR_CLAUSE = 2090
    FUNCTION_NOT_DEFINED = 2100, "expr function not defined."
    FUNCTION_ARGCOUNT = 2101, "expr function argument count error."
    CACHE_CLAUSE = 2200
    OPTIMIZER_CLAUSE = 2400
    RANK_SORT_CLAUSE = 2500
    RANK_SORT_CLAUSE_AND_DISTINCT_CLAUSE_CONFLICT = 2501, "multi rank Sort round conflict with first round distinct."
    FINAL_SORT_PARSE_FAILED = 2601, "parse final sort clause failed."
    LEVEL_CLAUSE = 2700
    INVALID_ANALYZER_GRAMMAR = 3502, "error invalid analyzer grammar."
    CONFIG = 5000, "Load config failed."
    SQL_INIT_REQUEST = 8000, "sql request init failed."
    QRS_SUMMARY_LACK = 10010, "Lack of summary."
    QRS_SEARCH_ERROR = 10015, "Qrs search error."
    QRS_SESSION_POOL_EXCEED = 11001
    SEARCH_UNKNOWN = 30001, "Unknown searcher error."
    INDEX_PARTITION_EXIST = 31103, "index partition already exists."
    INVALID_SCHEMA = 31111, "Invalid schema."
    QRS_PROCESS_TIMEOUT = 32018, "qrs process timeout."
