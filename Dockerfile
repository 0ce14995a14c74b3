# Image of the server.
# Build:  docker build -t manyheads .
# Run:    docker run -p 8000:8000 -e MANYHEADS_TOKEN=... -v RUN/model:/model:ro manyheads
# The server listens on all addresses of the container, so it starts only with MANYHEADS_TOKEN (or --without-token).
# The server needs no network other than its port. `make image-check` runs these steps without a container engine.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
# Builds of torch for CPUs. The default builds contain several gigabytes for GPUs.
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
