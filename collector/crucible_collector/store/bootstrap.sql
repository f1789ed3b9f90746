-- What migrations themselves stand on. Run before the first one; may be run again.

-- Not `if not exists`, for which one needs the right to create schemas even where there is one.
do $$
begin
    if to_regnamespace('crucible') is null then
        create schema crucible;
    end if;
end
$$;

create table if not exists crucible.migrations (
    name text collate "C" primary key,
    sha256 text not null,
    applied_at timestamptz not null default now()
);

-- Gives a relation its parts by day of `time`: a hypertable where it was created as a plain table,
-- or the default partition where it was created partitioned.
-- A day, because it is the unit in which data is dropped and compressed; an installation whose days
-- outgrow memory sets a shorter interval with set_chunk_time_interval. A question without a time
-- bound is planned over every day there is: 1 to 12 ms for 30 days, 7 to 20 for 90, 10 to 190 for a
-- year (on a machine busy with other work); with a bound, 0.2 to 3.
create or replace function crucible.store_by_time(relation name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    extension_schema name;
    wide name;
begin
    -- Values over 2 kB (prompts, stack traces) are compressed: 11 kB take lz4 47 to 87 µs and pglz
    -- 356 to 464. Not every server was built with lz4 (the wheel's is not). Parts inherit it.
    if exists (select from pg_settings
               where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        for wide in
            select attname from pg_attribute
            where attrelid = format('crucible.%I', relation)::regclass and atttypid = 'jsonb'::regtype
        loop
            execute format('alter table crucible.%I alter column %I set compression lz4', relation, wide);
        end loop;
    end if;
    if (select relkind from pg_class where oid = format('crucible.%I', relation)::regclass) = 'p' then
        execute format('create table crucible.%I partition of crucible.%I default',
                       relation || '_default', relation);
    else
        select nspname into strict extension_schema
        from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
        where extname = 'timescaledb';
        execute format(
            'select %1$I.create_hypertable(%2$L::regclass, %1$I.by_range(''time'', interval ''1 day''),'
            ' create_default_indexes => false)',
            extension_schema, format('crucible.%I', relation));
    end if;
end
$$;
