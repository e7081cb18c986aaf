"""What parsers are known to stumble over: values, literals, and parts of ids."""

from math import inf, nan

SURROGATES = ("\ud800", "\udfff", "\udcff", "\ud83d\ud83d")
TEXTS = (
    "", " ", "\x00", "a\x00b", "\r\nx-evil: 1", "\u202egpu", "\ufeff", "\u00e9\u0301", "\U0001d50a", "null", "true",
    "0", "%", "%s%n", "{}", "[]", "../..", "${jndi:x}", "' or 1=1", "<b>", "a" * 300, "A!" * 4000, "*a" * 12 + "b",
    "\u212a", "\u0130", "/", "*", "@", "-", *SURROGATES,
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, -0.0, 1e308, inf, -inf, nan, [], {}, [[]], [None],
)  # fmt: skip
LITERALS = (
    "NaN", "-Infinity", "1e400", "-0", "01", "+1", "0x10", ".5", "1_0", "nul", "True", "'x'", '"\\ud800"',
    '"\\u0000"', '"\\udfff\\ud800"', '"\\x"', '"\n"', '"\t"', "/**/1", "undefined", "", "1" * 5000, "-" + "9" * 400,
    '"' + "z" * 9000 + '"',
)  # fmt: skip
"""Values of a JSON text that no JSON library writes."""
NESTS = (("[", "]"), ('{"a":', "}"), ('[{"subject":', "}]"))
DEPTHS = (3, 40, 490, 950, 990, 995, 999, 1005, 1500, 3000, 9990, 20_000, 100_000)
"""Of nesting: around the limits of Python's and msgspec's recursion, and far beyond them."""
LARGEST = 1_100_000
"""Characters: a little more than the largest event that is read."""
BYTES = (b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80")
"""What is no UTF-8: a stray byte, an overlong slash, a surrogate, a character beyond Unicode."""
LOOKALIKES = {
    "k": "\u212a\u03ba", "s": "\u017f\u0455", "i": "\u0130\u0131\u0456", "a": "\u0430\uff41", "o": "\u043e\u03bf",
    "e": "\u0435", "c": "\u0441", "g": "\u0261", "p": "\u0440", "u": "\u057d", "n": "\uff4e", "r": "\u1d23",
    "t": "\u03c4", "/": "\u2215\uff0f\\", ".": "\u2024\uff0e", "-": "\u2010\u2212", "1": "\uff11\u0661", "2": "\uff12",
}  # fmt: skip
"""Some of them become the letter itself when case is ignored: the Kelvin sign a k, the long s an s."""
SEGMENTS = (
    "", ".", "..", "...", "%2e%2e", "%2F", "x%2f..%2fy", "x?y=1", "x#y", "x\x00", "x\r\ny", "x\ny", " ", "x y",
    "x\\y", "x;y", "x@evil.example", "x:1", "x&y", "~", "$x", "(x)", "_", "-", "x" * 260, "x" * 261, "\u00fcber",
    "\U0001d7d8", "*",
)  # fmt: skip
TAILS = (
    "/", "//", "/..", "/../..", "/.", "/start", "/extensions/health", "/providers/Microsoft.Resources/tags/default",
    "\n", "?api-version=1", "#x", "%2f..", "\x00", " ", "\t", "/\r\nHost: evil", "%20", "/" * 50, "/x" * 500, ";x",
    "\u2028", ":99999", "@evil.example",
)  # fmt: skip
HEADS = ("/", "//evil.example", "https://evil.example", "\\", " ", "@", "%2f", "\x00", "x", ".", "http:", "\ufeff")
