# One file, three images:
#   docker build --target api         -t certd-api .
#   docker build --target worker      -t certd-worker .
#   docker build --target worker-cuda -t certd-worker-cuda .
# Each holds the library and its own folder; the versions are those of constraints.txt.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS source
WORKDIR /source
RUN python -m venv /opt/certd
ENV PATH=/opt/certd/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY certd certd

FROM source AS api-packages
RUN pip install --no-cache-dir -c constraints.txt '.[api,plot,s3]'

# torch comes first: the index of its CPU builds saves gigabytes of CUDA.
FROM source AS worker-packages
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir -c constraints.txt --extra-index-url "$TORCH_INDEX" torch \
    && pip install --no-cache-dir -c constraints.txt '.[workers,s3]'

FROM source AS worker-cuda-packages
RUN pip install --no-cache-dir -c constraints.txt '.[workers,s3]'

# What all have in common: a user without rights, and /data for jobs. All else may be mounted read-only; the
# compilers of kernels keep their caches in /tmp.
FROM python:${PYTHON} AS base
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin certd \
    && install -d -o certd -g certd /data
ENV PATH=/opt/certd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba \
    TORCHINDUCTOR_CACHE_DIR=/tmp/inductor \
    TRITON_CACHE_DIR=/tmp/triton \
    CERTD_DATA_DIR=/data
WORKDIR /app
VOLUME /data

FROM base AS api
COPY --from=api-packages /opt/certd /opt/certd
COPY api api
ENV CERTD_HOST=0.0.0.0 CERTD_PORT=8000
EXPOSE 8000
USER 10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-m", "api.alive"]
CMD ["python", "-m", "api"]

FROM base AS worker
COPY --from=worker-packages /opt/certd /opt/certd
COPY workers workers
ENV CERTD_WORKER_METRICS_PORT=9100
USER 10001
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["python", "-m", "workers.alive"]
CMD ["python", "-m", "workers"]

# Triton builds the launcher of each CUDA kernel with a C compiler, so this one image keeps one.
FROM base AS worker-cuda
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=worker-cuda-packages /opt/certd /opt/certd
COPY workers workers
ENV CERTD_WORKER_METRICS_PORT=9100 CERTD_DEVICE=cuda
USER 10001
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["python", "-m", "workers.alive"]
CMD ["python", "-m", "workers"]
