# The export as a service on a CPU. Out of the export that lies in data/export: `dvc pull export` or `dvc repro` first.
#   docker build -t search . && docker run -p 127.0.0.1:8000:8000 -e FIELDTUNE_API_KEY search
FROM python:3.11-slim
WORKDIR /app
COPY pyproject.toml .
RUN pip install --no-cache-dir pip==26.3 && pip install --no-cache-dir --group serve
COPY fieldtune fieldtune
COPY data/export data/export
USER nobody
EXPOSE 8000
HEALTHCHECK --start-period=20s CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000); c.request('GET', '/ready'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "fieldtune.commands.serve", "--host", "0.0.0.0"]
