"""Painless sources, all constant: what differs between requests comes as parameters, so each is compiled once."""

from havengate.functions import EARTH_RADIUS_KM, RADIANS

# Java orders strings by UTF-16 units; lifting the surrogates over the rest makes it the order of code points.
_TEXT_ORDER = """
int unit(char c) {
  int u = (int) c;
  if (u >= 57344) { return u - 2048; }
  return u >= 55296 ? u + 8192 : u;
}
int compareTexts(String a, String b) {
  int shorter = a.length() < b.length() ? a.length() : b.length();
  for (int i = 0; i < shorter; ++i) {
    char x = a.charAt(i);
    char y = b.charAt(i);
    if (x != y) { return unit(x) < unit(y) ? -1 : 1; }
  }
  return Integer.compare(a.length(), b.length());
}
"""


_VALUES = """
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
  if (a instanceof String) { return compareTexts(a, b); }
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
double power(double x, double y) {
  // Java has no number for these two, unlike C.
  return x == 1 || (x == -1 && Double.isInfinite(y)) ? 1.0 : Math.pow(x, y);
}
double logarithm(double base, double x) {
  return base > 0 && x > 0 && base != 1 ? Math.log(x) / Math.log(base) : 0.0;
}
double distance(double x1, double y1, double x2, double y2) {
  double r = RADIANS;
  double s = Math.sin((y2 * r - y1 * r) / 2);
  double t = Math.sin((x2 * r - x1 * r) / 2);
  double h = s * s + Math.cos(y1 * r) * Math.cos(y2 * r) * (t * t);
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1.0, Math.sqrt(h)));
}
def ofFunction(String name, double[] x) {
  for (int i = 0; i < x.length; ++i) {
    if (Double.isNaN(x[i])) { return null; }
  }
  double found = name == 'pow' ? power(x[0], x[1])
    : name == 'log' ? logarithm(x[0], x[1])
    : distance(x[0], x[1], x[2], x[3]);
  double rounded = (double) (float) found;
  return Double.isNaN(rounded) || Double.isInfinite(rounded) ? null : rounded;
}
def called(String name, int count, List stack) {
  double[] x = new double[count];
  boolean missing = false;
  for (int i = count - 1; i >= 0; --i) {
    def argument = last(stack);
    missing = missing || argument == null;
    x[i] = argument == null ? 0.0 : real(argument);
  }
  return missing ? null : ofFunction(name, x);
}
def replaced(def text, List parts, String by) {
  if (text == null) { return null; }
  String changed = text;
  for (String part : parts) { changed = changed.replace(part, by); }
  return changed;
}
def last(List stack) { return stack.remove(stack.size() - 1); }
def first(def values) { return values.size() == 0 ? null : values.value; }
def length(def values) { return values.size() == 0 ? 0 : values.value; }
def text(def a) { return a == null ? null : a.toString(); }
def computed(String kind, List stack) {
  def b = last(stack);
  def a = last(stack);
  return result(kind, a, b);
}
def evaluate(List program, Map doc) {
  List stack = new ArrayList();
  for (def step : program) {
    String kind = step[0];
    stack.add(
      kind == 'field' ? first(doc[step[1]])
      : kind == 'number' ? number(step[1])
      : kind == 'text' ? step[1]
      : kind == 'length' ? length(doc[step[1]])
      : kind == 'call' ? called(step[1], step[2], stack)
      : kind == 'to_string' ? text(last(stack))
      : kind == 'string_replace' ? replaced(last(stack), step[1], step[2])
      : computed(kind, stack));
  }
  def value = stack[0];
  return value instanceof Double && Double.isNaN((double) value) ? null : value;
}
""".replace("RADIANS", repr(RADIANS)).replace("EARTH_RADIUS_KM", repr(EARTH_RADIUS_KM))

COMPARE = f"""{_TEXT_ORDER}{_VALUES}
def left = evaluate(params.left, doc);
def right = evaluate(params.right, doc);
if (left == null || right == null) {{ return false; }}
int sign = compare(left, right);
return params.signs.contains(sign < 0 ? -1 : sign > 0 ? 1 : 0);
"""

IN_POLYGON = f"""{_TEXT_ORDER}{_VALUES}
double decoded(byte[] bytes, int start) {{
  long bits = 0;
  for (int i = start; i < start + 8; ++i) {{ bits = (bits << 8) | (bytes[i] & 255); }}
  return Double.longBitsToDouble(bits);
}}
double[] stored(BytesRef bytes) {{
  double[] found = new double[bytes.length / 8];
  for (int i = 0; i < found.length; ++i) {{ found[i] = decoded(bytes.bytes, bytes.offset + 8 * i); }}
  return found;
}}
double[] given(List numbers) {{
  double[] found = new double[numbers.size()];
  for (int i = 0; i < found.length; ++i) {{ found[i] = ((Number) numbers.get(i)).doubleValue(); }}
  return found;
}}
boolean within(double x, double y, double[] corners, boolean edge) {{
  if (corners.length < 6 || corners.length % 2 == 1) {{ return false; }}
  boolean odd = false;
  double ax = corners[corners.length - 2];
  double ay = corners[corners.length - 1];
  for (int i = 0; i < corners.length; i += 2) {{
    double bx = corners[i];
    double by = corners[i + 1];
    double c = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
    if (c == 0 && Math.min(ax, bx) <= x && x <= Math.max(ax, bx) && Math.min(ay, by) <= y && y <= Math.max(ay, by)) {{
      return edge;
    }}
    if (((ay > y) != (by > y)) && ((c > 0) == (by > ay))) {{ odd = !odd; }}
    ax = bx;
    ay = by;
  }}
  return odd;
}}
def x = evaluate(params.x, doc);
def y = evaluate(params.y, doc);
if (x == null || y == null) {{ return false; }}
def polygon = params.polygon;
if (polygon instanceof String && doc[polygon].size() == 0) {{ return false; }}
double[] corners = polygon instanceof String ? stored(doc[polygon].value) : given(polygon);
return within(real(x), real(y), corners, params.edge) == params.truth;
"""

TEXT_RANGE = f"""{_TEXT_ORDER}
boolean keeps(String bound, int sign) {{
  if (bound == 'lt') {{ return sign < 0; }}
  if (bound == 'lte') {{ return sign <= 0; }}
  return bound == 'gt' ? sign > 0 : sign >= 0;
}}
boolean within(String value, Map ends) {{
  for (def end : ends.entrySet()) {{
    if (keeps(end.getKey(), compareTexts(value, end.getValue())) == false) {{ return false; }}
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
