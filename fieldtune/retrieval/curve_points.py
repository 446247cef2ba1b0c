"""The files of the data curve."""

POINTS = "points.json"
PER_QUERY = "per_query.parquet"
