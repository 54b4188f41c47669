-- Of copies of one event that have one owner, that with the strongest own key counts, then that with the smaller key.
CREATE TABLE lesser AS
SELECT partition, "offset"
FROM (
    SELECT t.partition, t."offset", row_number() OVER (
        PARTITION BY coalesce(o.id, t.id), t.key
        ORDER BY CASE split_part(t.own_key, ':', 1) WHEN 'customer' THEN 0 WHEN 'loyalty' THEN 1 WHEN 'email' THEN 2
                 WHEN 'phone' THEN 3 WHEN 'device' THEN 5 WHEN 'anonymous' THEN 6 ELSE 4 END, t.own_key) AS place
    FROM own_touchpoint AS t LEFT JOIN owned AS o USING (partition, "offset")
    WHERE coalesce(o.id, t.id) IN (SELECT id FROM owned WHERE id <> own)
)
WHERE place > 1;

CREATE TABLE touchpoint AS
SELECT t.* REPLACE (coalesce(o.id, t.id) AS id), coalesce(home.partition, t.partition) AS home,
       CASE WHEN o.id <> t.id THEN t.own_key END AS via
FROM own_touchpoint AS t
LEFT JOIN owned AS o USING (partition, "offset")
LEFT JOIN home ON home.id = o.id
WHERE (t.partition, t."offset") NOT IN (SELECT (partition, "offset") FROM lesser);
DROP TABLE owned;
DROP TABLE lesser;
