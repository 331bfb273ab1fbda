FROM python:3.13-slim AS build
WORKDIR /exai
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
RUN python -m venv /build && /build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY exai_trio exai_trio
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
  && /venv/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
# precommit, and what of a directory is left out, is asked of git
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 exai && install -d -o exai -m 0700 /var/lib/exai
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH EXAI_HOME=/var/lib/exai EXAI_WS_HOST=0.0.0.0
USER exai
VOLUME /var/lib/exai
EXPOSE 8079 8080 8082
HEALTHCHECK --interval=10s --timeout=3s \
  CMD ["python", "-I", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8082/health/ready', timeout=2)"]
CMD ["exai", "serve"]
