# Both stages stand on the same base: one with Python 3.11 to 3.13 as python3, and venv.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# Without an index: PIP_NO_INDEX=1, and the folder of wheels in PIP_FIND_LINKS.
ARG PIP_NO_INDEX PIP_FIND_LINKS PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1
WORKDIR /exai
COPY requirements.lock requirements-build.lock ./
RUN python3 -m venv /tools && python3 -m venv --without-pip /venv \
  && /tools/bin/pip --python /venv/bin/python install --no-compile --require-hashes -r requirements.lock \
  && /tools/bin/pip install --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY exai_trio exai_trio
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /built . \
  && /tools/bin/pip --python /venv/bin/python install --no-compile --no-deps --no-index /built/*.whl \
  && find /venv/lib -type d \( -name tests -o -name _tests \) -prune -exec rm -r {} +
# The root is read-only when it runs: what is imported must be compiled now. Of other people's packages that is all that is kept, and of the largest without texts for
# readers; cffi is for compiling, but for its backend. Our own sources stay, for tracebacks. One module of coredis is for newer Pythons than 3.11.
RUN cd /venv/lib/python3*/site-packages && mv exai_trio /exai/own \
  && compile="/venv/bin/python -X no_debug_ranges -m compileall -j 0" large="openai pygments pydantic rich websockets anyio" \
  && $compile -q -b -o 2 $large && find $large -name "*.py" -delete \
  && { $compile -qq -b coredis/_py_312_typing.py || true; } && $compile -q -b -x /_py_312_typing . \
  && find . -type f \( -name "*.py" -o -name "*.pyi" -o -name "*.[ch]" -o -name "*.pxd" -o -name RECORD -o -name "_testcapi*" \
       -o -name "*.md" -not -path "*.dist-info/*" \) -delete \
  && rm -r cffi pycparser pydantic/v1 pydantic/mypy.pyc \
  && mv /exai/own exai_trio && $compile -q exai_trio \
  && /venv/bin/python -c "import openai; it = openai.AsyncOpenAI(api_key='-'); it.chat.completions, it.files, it.models" \
  && /venv/bin/python -c "import coredis, jwt, psycopg, pygments.lexers, rich, supabase, tree_sitter_cpp" \
  && /venv/bin/python -c "from cryptography.hazmat.primitives.asymmetric import ec; ec.generate_private_key(ec.SECP256R1())"

FROM ${BASE}
# precommit, and what of a directory is left out, is asked of git.
RUN command -v git >/dev/null \
  || (apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*)
RUN useradd --create-home --uid 10001 exai && install -d -o exai -m 0700 /var/lib/exai /var/lib/exai-keys
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH EXAI_HOME=/var/lib/exai EXAI_WS_HOST=0.0.0.0 EXAI_LOG_STDERR=true
USER 10001
VOLUME /var/lib/exai
EXPOSE 8079 8080 8082
HEALTHCHECK --interval=10s --timeout=3s \
  CMD ["python", "-I", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8082, timeout=2); c.request('GET', '/health/ready'); exit(c.getresponse().status != 200)"]
CMD ["exai", "serve"]
