"""Tables that already hold many journeys, of customers of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg

from bench.rig import Rig

#: A journey has one to nine touchpoints on one or two channels, two minutes apart, and lies in the last year. Of
#: `first` to `last`, every customer has two in a row; what a journey is like follows from its number.
_JOURNEYS = """
    INSERT INTO journey (journey_id, customer, partition, revision, status, started_at, ended_at, covers_until,
                         touchpoints, channels, outcome, failures, abandoned, begun_by_customer, is_visit, steps,
                         steps_omitted, keys)
    SELECT gen_random_uuid(), 'customer:earlier-' || lpad((n / 2)::text, 9, '0'), n / 2 %% %(partitions)s, 1 + n %% 3,
           'closed', began, began + (size - 1) * interval '2 minutes',
           began + (size - 1) * interval '2 minutes' + interval '30 minutes', size,
           CASE WHEN size < 5 THEN jsonb_build_object('web', size)
                ELSE jsonb_build_object('web', 4, 'app', size - 4) END,
           CASE WHEN n %% 7 = 0 THEN 'succeeded' ELSE 'none' END, 0, 0, true, true,
           (SELECT jsonb_agg(jsonb_build_object(
                'at', to_char(began + step * interval '2 minutes', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'channel', CASE WHEN step < 4 THEN 'web' ELSE 'app' END,
                'kind', CASE WHEN step = 0 AND n %% 7 = 0 THEN 'purchase' ELSE 'page_viewed' END,
                'stage', 'before',
                'outcome', CASE WHEN step = 0 AND n %% 7 = 0 THEN 'succeeded' ELSE 'none' END))
            FROM generate_series(0, size - 1) AS step),
           0, substring(sha512(int8send(n)) || sha512(int8send(-n)) FROM 1 FOR 8 * size)
    FROM (SELECT n, 1 + (n * 5 %% 9)::integer AS size,
                 date_trunc('milliseconds', now()) - interval '2 days' - n / 2 %% 8000 * interval '1 hour'
                     - n %% 2 * interval '20 days' AS began
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS number
"""
#: As of now, so that no sweep finds that silence has moved somebody since.
_RISKS = """
    INSERT INTO churn_risk (customer, partition, probability, band, horizon_days, as_of, visits, first_active_at,
                            last_active_at, last_seen_at, reasons, model)
    SELECT customer, partition, p, churn_band(p, parameters), (parameters ->> 'horizon_days')::integer, now(), 2,
           first_at, last_at, last_at, '[{"code": "silent", "text": "silent for some time"}]',
           name || ' ' || version
    FROM (SELECT customer, min(partition) AS partition, min(started_at) AS first_at, max(ended_at) AS last_at
          FROM journey WHERE customer >= %(least)s AND customer <= %(most)s AND merged_into IS NULL AND moved_to IS NULL
          GROUP BY customer) AS earlier
    CROSS JOIN (SELECT name, version, parameters FROM model WHERE active AND name = 'churn') AS model
    CROSS JOIN LATERAL churn_probability(2, first_at, last_at, NULL, now(), parameters) AS p
"""
_AT_ONCE = 250_000
_CONNECTIONS = 2


def fill(own: Rig, journeys: int, partitions: int) -> None:
    """Put so many closed journeys into the tables, of half as many customers, and those customers' churn risk.

    Afterwards the tables are as the database's own upkeep would leave them: vacuumed, with statistics, and on disk.
    Takes less than a minute a million, and 1.3 GB.
    """

    def part(first: int) -> None:
        last = min(first + _AT_ONCE, journeys) - 1
        least, most = (f"customer:earlier-{number // 2:09d}" for number in (first, last))
        with psycopg.connect(own.ledger.info.dsn, password=own.ledger.info.password, autocommit=True) as connection:
            connection.execute(_JOURNEYS, {"first": first, "last": last, "partitions": partitions})
            connection.execute(_RISKS, {"least": least, "most": most})

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        for _ in pool.map(part, range(0, journeys, _AT_ONCE)):
            pass
    for upkeep in ("VACUUM (FREEZE, ANALYZE) journey", "VACUUM (FREEZE, ANALYZE) churn_risk", "CHECKPOINT"):
        own.ledger.execute(upkeep)
