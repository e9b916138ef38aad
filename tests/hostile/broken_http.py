"""Requests that are no HTTP, or say two things about where they end."""

MIB = 1 << 20
PROBE = b"GET /network/active HTTP/1.1\r\nHost: a\r\n"
LAST = PROBE + b"Connection: close\r\n\r\n"
POST = b"POST /query HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
_NONE = b"\r\n0\r\n\r\n"
"""The end of the headers, and a body of no chunks."""
_CLOSE = b"Host: a\r\nConnection: close\r\n\r\n"


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


REFUSED = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length below zero": POST + b"Content-Length: -2\r\n\r\n{}",
    "a length in hex": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n{}",
    "a length of other digits": POST + "Content-Length: ٢\r\n\r\n{}".encode(),
    "a length of a square": POST + b"Content-Length: \xb2\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 4\r\n" + CHUNKED + _NONE,
    "chunks and a length": POST + CHUNKED + b"Content-Length: 4\r\n" + _NONE,
    "chunks twice": POST + CHUNKED + CHUNKED + _NONE,
    "chunked not last": POST + b"Transfer-Encoding: chunked, identity\r\n" + _NONE,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n" + _NONE,
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + CHUNKED + _NONE,
    "a blank before the colon": POST + b"Transfer-Encoding : chunked\r\n" + _NONE,
    "a blank before the name": POST + b" " + CHUNKED + _NONE,
    "a tab before the coding": POST + b"Transfer-Encoding:\x0bchunked\r\n" + _NONE,
    "a folded header": POST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a bare CR": POST + b"X: a\rContent-Length: 2\r\n\r\n",
    "a bare LF between headers": POST + b"X: a\nContent-Length: 2\r\n\r\n",
    "a bare LF behind the line": b"GET /query HTTP/1.1\nHost: a\r\n\r\n",
    "NUL in a header": PROBE + b"X: a\0b\r\n\r\n",
    "NUL in the path": b"GET /que\0ry HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the method": b"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /query\r\n\r\n",
    "HTTP/2 from the start": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(60),
    "a TLS hello": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a PROXY line": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "noise": bytes(range(256)) * 20 + b"\r\n\r\n",
    "a chunk of no number": POST + CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk below zero": POST + CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk that is longer": POST + CHUNKED + b"\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk's number of 20 digits": POST + CHUNKED + b"\r\n" + b"f" * 20 + b"\r\n{}\r\n",
}
"""What is said behind them is no request: each is 400, and the connection's end."""

ANSWERED = {
    "a length of petabytes": (POST + b"Content-Length: 9999999999999999\r\n\r\n{}", [413]),
    "a length of many digits": (POST + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n{}", [413]),
    "a length under another name": (POST + b"Content_Length: 9\r\nContent-Length: 2\r\n\r\n{}" + LAST, [200, 200]),
    "another host in the line": (b"GET http://b/network/active HTTP/1.1\r\n" + _CLOSE, [200]),
    "only an authority": (b"CONNECT a:80 HTTP/1.1\r\n" + _CLOSE, [404]),
    "a star": (b"OPTIONS * HTTP/1.1\r\n" + _CLOSE, [404]),
    "a host that is none": (b"GET /readyz HTTP/1.1\r\nHost: a b\x7f/..\r\nConnection: close\r\n\r\n", [400]),
    "no host": (b"GET /network/active HTTP/1.1\r\nConnection: close\r\n\r\n", [200]),
    "an upgrade to HTTP/2": (PROBE + b"Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n", [200]),
    "expecting to go on": (POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}" + LAST, [100, 200, 200]),
}
"""Bytes, and the statuses of all answers."""

ENDLESS = {
    "query": (b"GET /query?query=", b"A" * MIB, 414),
    "path": (b"GET /", b"a" * MIB, 414),
    "method": (b"", b"A" * MIB, 414),
    "empty lines": (b"\r\n", b"\r\n" * (MIB // 2), 400),
    "headers": (PROBE, b"X: " + b"b" * 1000 + b"\r\n", 431),
    "header": (PROBE + b"X: ", b"b" * MIB, 431),
    "chunks": (POST + CHUNKED + b"\r\n", chunked(b"[" * (MIB // 2)), 413),
    "small chunks": (POST + CHUNKED + b"\r\n", chunked(*[b" "] * 50_000), 400),
    "extension": (POST + CHUNKED + b"\r\n2;x=", b"y" * MIB, 400),
    "size": (POST + CHUNKED + b"\r\n", b"0" * MIB, 400),
    "trailers": (POST + CHUNKED + b"\r\n0\r\n", b"X: y\r\n" * 100_000, 400),
}
"""How it begins, what goes on, the status."""
