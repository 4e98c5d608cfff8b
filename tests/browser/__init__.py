"""The pages in a real browser, driven by Playwright, against `visagram serve` on its own data."""
