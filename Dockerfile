FROM python:3.13-slim

ENV PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PHR_HOST=0.0.0.0 \
    PHR_DATA_DIR=/data

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

# /data and /keys belong to the runtime user, so that empty named volumes mounted there do too.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin carnet \
    && install -d -o carnet -g carnet -m 0700 /data /keys
COPY . .

USER carnet
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
CMD ["python", "-m", "phr", "serve"]
