"""The heart: what Visagram computes, in numpy and scipy only, without a file, a socket or a model runtime."""
