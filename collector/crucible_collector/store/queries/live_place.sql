-- Where is a reader who has seen all that is there now, and in which database?
-- Leans on the primary key of the feed, from its end. A copy of a server, or one that was set back, goes on
-- in another timeline.
select
    pg_current_snapshot()::text as snapshot,
    extract(epoch from clock_timestamp())::float8 as time_s,
    coalesce((select max(feed_id) from crucible.anomaly_feed), 0) as feed_id,
    (select format('%%s-%%s-%%s', system_identifier, timeline_id,
        (select oid from pg_database where datname = current_database()))
        from pg_control_system(), pg_control_checkpoint()) as database
