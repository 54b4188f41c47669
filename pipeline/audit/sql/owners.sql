-- Each touchpoint with its owner, given who holds each key from when on (segment).
INSERT INTO customer
SELECT (SELECT coalesce(max(id), 0) FROM customer) + row_number() OVER (), holder
FROM (SELECT holder FROM segment WHERE holder IS NOT NULL EXCEPT SELECT customer FROM customer);
CREATE TABLE held AS
SELECT k.id, s.since, h.id AS holder
FROM segment AS s JOIN customer AS k ON k.customer = s.key LEFT JOIN customer AS h ON h.customer = s.holder;
CREATE TABLE owned AS
SELECT id AS own, id, partition, "offset", occurred_at FROM own_touchpoint WHERE id IN (SELECT id FROM held);
