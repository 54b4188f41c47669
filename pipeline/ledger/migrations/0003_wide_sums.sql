-- Waits and durations of ten years each are valid, and thirty million of them are more than a bigint holds.
-- The view over them is made anew after the migrations.
DROP VIEW IF EXISTS touchpoint_score;
ALTER TABLE touchpoint_count
    ALTER COLUMN wait_ms_sum TYPE NUMERIC,
    ALTER COLUMN duration_ms_sum TYPE NUMERIC;
