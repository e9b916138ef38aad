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
  return Long.compare((long) a, (long) b);
}
int compareIntegerWithDouble(def a, double b) {
  if (a instanceof BigInteger == false) { return compareWithDouble((long) a, b); }
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
def left = doc[params.left];
def right = doc[params.right];
if (left.size() == 0 || right.size() == 0) { return false; }
int sign = compare(left.value, right.value);
return params.signs.contains(sign < 0 ? -1 : sign > 0 ? 1 : 0);
"""

# Java orders strings by UTF-16 units; lifting the surrogates over the rest makes it the order of code points.
TEXTS = """
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
def left = doc[params.left];
def right = doc[params.right];
if (left.size() == 0 || right.size() == 0) { return false; }
return params.signs.contains(compare(left.value, right.value));
"""

_HEAD = """
BytesRef stored = doc[params.field].value;
byte[] bytes = stored.bytes;
int start = stored.offset;
int end = start + stored.length;
String query = params.query;
int place = 0;
"""
_ONE_PAIR = """
    float x = Float.intBitsToFloat(
      (bytes[i] << 24) | ((bytes[i + 1] & 255) << 16) | ((bytes[i + 2] & 255) << 8) | (bytes[i + 3] & 255));
    float y = Float.intBitsToFloat(
      (query.charAt(place) << 24) | (query.charAt(place + 1) << 16)
        | (query.charAt(place + 2) << 8) | query.charAt(place + 3));
    place += 4;
"""

SQUARED_EUCLIDEAN = f"""{_HEAD}
double best = Double.POSITIVE_INFINITY;
while (place < query.length()) {{
  double sum = 0;
  for (int i = start; i < end; i += 4) {{{_ONE_PAIR}
    double difference = (double) x - (double) y;
    sum += difference * difference;
  }}
  best = Math.min(best, sum);
}}
return best;
"""

INNER_PRODUCT = f"""{_HEAD}
double best = Double.NEGATIVE_INFINITY;
while (place < query.length()) {{
  double sum = 0;
  for (int i = start; i < end; i += 4) {{{_ONE_PAIR}
    sum += (double) x * (double) y;
  }}
  best = Math.max(best, sum + 0.0);
}}
return best;
"""

MISSING = "return doc[params.field].size() == 0 ? 1 : 0;"
