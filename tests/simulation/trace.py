"""What happened in one seed, line by line, for people. Kept only where somebody wants to read it."""


class Trace:
    """Lines of time, who and what. `on`: whether they are kept. `violations` always are."""

    def __init__(self, clock, *, on):
        self.clock, self.on = clock, on
        self.lines, self.violations = [], []
        self.began = clock()

    def __call__(self, who, what, detail=""):
        if self.on:
            self.lines.append(f"{self.clock() - self.began:9.3f}  {who:8}  {what} {detail}".rstrip())

    def violation(self, promise, detail):
        """A promise was broken."""
        text = f"{self.clock() - self.began:.3f}  {promise}: {detail}"
        self.violations.append(text)
        self("!!!", promise, detail)
