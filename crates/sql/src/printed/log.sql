-- Which consumer of the change log wants which tables.
create table if not exists {schema}.captures (
  consumer text not null, schema_name text not null, table_name text not null,
  primary key (consumer, schema_name, table_name)
);

-- The change log: rows as records, and the names of their fields. Sequence order is not commit order: it
-- is read by difference of snapshots.
create table if not exists {schema}.changes (
  seq bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  schema_name text not null,
  table_name text not null,
  kind text not null,
  names text[] not null,
  old text,
  new text,
  origin text,
  made_at timestamptz not null default clock_timestamp()
);
create index if not exists changes_xid on {schema}.changes (xid);

-- The newest transaction whose changes were trimmed.
create table if not exists {schema}.trimmed (
  only_row boolean primary key default true check (only_row), xid xid8 not null
);

create or replace function {schema}.capture() returns trigger
language plpgsql security definer
set search_path = '' set timezone = 'UTC' set datestyle = 'ISO' set extra_float_digits = 1 set bytea_output = 'hex' set intervalstyle = 'postgres'
as $$
begin
  insert into {schema}.changes (schema_name, table_name, kind, names, old, new, origin)
  values (tg_table_schema, tg_table_name, tg_op,
          array(select attname::text from pg_catalog.pg_attribute
                where attrelid = tg_relid and attnum > 0 and not attisdropped order by attnum),
          case when tg_op <> 'INSERT' then old::text end,
          case when tg_op <> 'DELETE' then new::text end,
          nullif(current_setting('{schema}.origin', true), ''));
  return null;
end $$;

-- A truncated table lost all its rows.
create or replace function {schema}.capture_truncate() returns trigger
language plpgsql security definer
set search_path = '' set timezone = 'UTC' set datestyle = 'ISO' set extra_float_digits = 1 set bytea_output = 'hex' set intervalstyle = 'postgres'
as $$
begin
  execute format(
    'insert into {schema}.changes (schema_name, table_name, kind, names, old, origin)
     select %L, %L, ''DELETE'', $1, row(r.*)::text, nullif(current_setting(''{schema}.origin'', true), '''') from only %I.%I r',
    tg_table_schema, tg_table_name, tg_table_schema, tg_table_name)
  using array(select attname::text from pg_catalog.pg_attribute
              where attrelid = tg_relid and attnum > 0 and not attisdropped order by attnum);
  return null;
end $$;
