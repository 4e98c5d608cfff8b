FROM python:3.11-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# What changes least comes first: the locked requirements, then the package.
COPY requirements.txt .
RUN python -m pip install --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip install --no-deps . \
 && python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && useradd --system --uid 10001 --no-create-home --home-dir /data visagram \
 && mkdir /data && chown visagram:visagram /data

USER visagram
ENV VISAGRAM_DATA=/data
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/healthz', timeout=4)"]
# Reachable from outside the container, so an access token is needed: the start message prints the address with it.
CMD ["visagram", "serve", "--host", "0.0.0.0"]
