"""Painless sources, all constant: what differs between requests comes as parameters, so each is compiled once."""

NUMBERS = """
int compareWithDouble(long a, double b) {
  if (b >= 9223372036854775808.0) { return -1; }
  if (b < -9223372036854775808.0) { return 1; }
  long whole = (long) b;
  if (a != whole) { return a < whole ? -1 : 1; }
  double rest = b - (double) whole;
  return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}
int compareIntegers(def a, def b) {
  if (a instanceof BigInteger || b instanceof BigInteger) {
    return new BigInteger(a.toString()).compareTo(new BigInteger(b.toString()));
  }
  return Long.compare(((Number) a).longValue(), ((Number) b).longValue());
}
int compareIntegerWithDouble(def a, double b) {
  if (a instanceof BigInteger == false) { return compareWithDouble(((Number) a).longValue(), b); }
  BigInteger large = (BigInteger) a;
  if (large.bitLength() < 64) { return compareWithDouble(large.longValue(), b); }
  if (b < 9223372036854775808.0) { return 1; }
  if (b >= 18446744073709551616.0) { return -1; }
  return large.compareTo(BigInteger.valueOf((long) (b / 2.0)).shiftLeft(1));
}
int compare(def a, def b) {
  if (a instanceof Double) {
    double left = (double) a;
    if (b instanceof Double) {
      double right = (double) b;
      return left < right ? -1 : left > right ? 1 : 0;
    }
    return -compareIntegerWithDouble(b, left);
  }
  return b instanceof Double ? compareIntegerWithDouble(a, (double) b) : compareIntegers(a, b);
}
double real(def a) { return a instanceof Double ? (double) a : (double) ((Number) a).longValue(); }
def ofReals(String op, double a, double b) {
  if (op == '+') { return a + b; }
  if (op == '-') { return a - b; }
  if (op == '*') { return a * b; }
  if (b == 0) { return null; }
  return a / b;
}
def ofIntegers(String op, long a, long b) {
  if (op == '+') { return a + b; }
  if (op == '-') { return a - b; }
  if (op == '*') { return a * b; }
  if (op == '&') { return a & b; }
  if (op == '|') { return a | b; }
  if (op == '^') { return a ^ b; }
  if (b == 0) { return null; }
  return a / b;
}
def result(String op, def a, def b) {
  if (a == null || b == null) { return null; }
  if (a instanceof Double || b instanceof Double) { return ofReals(op, real(a), real(b)); }
  return ofIntegers(op, ((Number) a).longValue(), ((Number) b).longValue());
}
def number(def a) { return a instanceof String ? (def) Double.parseDouble(a) : a; }
def evaluate(List program, Map doc) {
  List stack = new ArrayList();
  for (def step : program) {
    String kind = step[0];
    if (kind == 'field') {
      def values = doc[step[1]];
      stack.add(values.size() == 0 ? null : values.value);
    } else if (kind == 'number') {
      stack.add(number(step[1]));
    } else {
      def b = stack.remove(stack.size() - 1);
      def a = stack.remove(stack.size() - 1);
      stack.add(result(kind, a, b));
    }
  }
  def last = stack[0];
  return last instanceof Double && Double.isNaN((double) last) ? null : last;
}
def left = evaluate(params.left, doc);
def right = evaluate(params.right, doc);
if (left == null || right == null) { return false; }
int sign = compare(left, right);
return params.signs.contains(sign < 0 ? -1 : sign > 0 ? 1 : 0);
"""

# Java orders strings by UTF-16 units; lifting the surrogates over the rest makes it the order of code points.
_TEXT_ORDER = """
int unit(char c) {
  int u = (int) c;
  if (u >= 57344) { return u - 2048; }
  return u >= 55296 ? u + 8192 : u;
}
int compare(String a, String b) {
  int shorter = a.length() < b.length() ? a.length() : b.length();
  for (int i = 0; i < shorter; ++i) {
    char x = a.charAt(i);
    char y = b.charAt(i);
    if (x != y) { return unit(x) < unit(y) ? -1 : 1; }
  }
  return Integer.compare(a.length(), b.length());
}
"""

TEXTS = f"""{_TEXT_ORDER}
def left = doc[params.left];
def right = doc[params.right];
if (left.size() == 0 || right.size() == 0) {{ return false; }}
return params.signs.contains(compare(left.value, right.value));
"""

TEXT_RANGE = f"""{_TEXT_ORDER}
boolean keeps(String bound, int sign) {{
  if (bound == 'lt') {{ return sign < 0; }}
  if (bound == 'lte') {{ return sign <= 0; }}
  return bound == 'gt' ? sign > 0 : sign >= 0;
}}
boolean within(String value, Map ends) {{
  for (def end : ends.entrySet()) {{
    if (keeps(end.getKey(), compare(value, end.getValue())) == false) {{ return false; }}
  }}
  return true;
}}
def values = doc[params.field];
for (int i = 0; i < values.size(); ++i) {{
  if (within(values.get(i), params.ends)) {{ return true; }}
}}
return false;
"""

PARTS = """
String start = params.start;
String part = params.part;
def values = doc[params.field];
for (int i = 0; i < values.size(); ++i) {
  String value = values.get(i);
  if (value.startsWith(start) && value.indexOf(part, start.length()) >= 0) { return true; }
}
return false;
"""

# A function for one pair of vectors: painless stops a function after 1,000,000 rounds of its loops, and 1,024 query
# vectors of 1,024 dimensions are more.
_PAIR = """
double pair(byte[] bytes, int start, int end, String query, int first) {
  double sum = 0;
  int place = first;
  for (int i = start; i < end; i += 4) {
    float x = Float.intBitsToFloat(
      (bytes[i] << 24) | ((bytes[i + 1] & 255) << 16) | ((bytes[i + 2] & 255) << 8) | (bytes[i + 3] & 255));
    float y = Float.intBitsToFloat(
      (query.charAt(place) << 24) | (query.charAt(place + 1) << 16)
        | (query.charAt(place + 2) << 8) | query.charAt(place + 3));
    place += 4;
    %s
  }
  return sum;
}
"""
_BEST = """
BytesRef stored = doc[params.field].value;
int start = stored.offset;
int end = start + stored.length;
String query = params.query;
double best = Double.%s_INFINITY;
for (int place = 0; place < query.length(); place += stored.length) {
  best = Math.%s(best, pair(stored.bytes, start, end, query, place));
}
return best + 0.0;
"""

SQUARED_EUCLIDEAN = (
    _PAIR % "double difference = (double) x - (double) y;\n    sum += difference * difference;"
    + _BEST % ("POSITIVE", "min")
)
INNER_PRODUCT = _PAIR % "sum += (double) x * (double) y;" + _BEST % ("NEGATIVE", "max")

MISSING = "return doc[params.field].size() == 0 ? 1 : 0;"
