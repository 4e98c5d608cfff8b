"""The pages in a real browser: Debian's chromium, driven by Playwright, against `visagram serve` on its own data."""
