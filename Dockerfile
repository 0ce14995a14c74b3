# The server.
# Build:  docker build -t manyheads .
# Run:    docker run -p 8000:8000 -e MANYHEADS_TOKEN=... -v RUN/model:/model:ro manyheads
# The running server needs no network except its port.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md constraints.txt ./
COPY src src
# torch's own builds for CPUs. Without them pip downloads gigabytes for GPUs.
ARG TORCH_BUILDS=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/manyheads \
 && PIP_EXTRA_INDEX_URL=$TORCH_BUILDS /opt/manyheads/bin/pip install --no-cache-dir -c constraints.txt ".[serve]"

FROM python:3.11-slim
COPY --from=build /opt/manyheads /opt/manyheads
RUN useradd --system --uid 10001 --no-create-home manyheads
USER 10001
ENV PATH=/opt/manyheads/bin:$PATH HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HOME=/tmp PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["manyheads", "serve", "/model", "--host", "0.0.0.0"]
