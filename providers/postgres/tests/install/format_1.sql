-- Schema truststream as its first format was: what an upgrade must find its way from.
-- The one schema TrustStream keeps in a database. Everything in it is listed here.
create schema if not exists truststream;
comment on schema truststream is 'Kept by TrustStream: migrations applied, change log, positions of streams';

-- What was applied, in order.
create table if not exists truststream.migrations (
  position bigint generated always as identity primary key,
  name text not null unique,
  sql text not null,
  applied_at timestamptz not null default now()
);

-- Facts about this database, such as that TrustStream set it up.
create table if not exists truststream.settings (name text primary key, value text not null);

-- Tables whose policies decide who may see them: opened to the roles of requests once.
create table if not exists truststream.opened (relation oid primary key);

-- Which consumer of the change feed wants which tables.
create table if not exists truststream.captures (
  consumer text not null, schema_name text not null, table_name text not null,
  primary key (consumer, schema_name, table_name)
);

-- The change log. Sequence order is not commit order: it is read by difference of snapshots.
create table if not exists truststream.changes (
  seq bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  schema_name text not null,
  table_name text not null,
  kind text not null,
  old json,
  new json,
  origin text,
  made_at timestamptz not null default clock_timestamp()
);
create index if not exists changes_xid on truststream.changes (xid);

-- The newest transaction whose changes were trimmed.
create table if not exists truststream.trimmed (only_row boolean primary key default true check (only_row), xid xid8 not null);

-- Where the streams of other databases' changes stand here.
create table if not exists truststream.applied (origin text primary key, position json);

-- Constraints and indexes taken away while rows arrive, and what existed before.
create table if not exists truststream.deferred (
  id bigint generated always as identity primary key,
  foreign_key boolean not null, restore text not null
);
create table if not exists truststream.existing (kind text not null, id oid not null, primary key (kind, id));

create or replace function truststream.capture() returns trigger
language plpgsql security definer
set search_path = '' set timezone = 'UTC' set datestyle = 'ISO' set extra_float_digits = 1 set bytea_output = 'hex' set intervalstyle = 'postgres'
as $$
begin
  insert into truststream.changes (schema_name, table_name, kind, old, new, origin)
  values (tg_table_schema, tg_table_name, tg_op,
          case when tg_op <> 'INSERT' then row_to_json(old) end,
          case when tg_op <> 'DELETE' then row_to_json(new) end,
          nullif(current_setting('truststream.origin', true), ''));
  return null;
end $$;

-- A truncated table lost all its rows.
create or replace function truststream.capture_truncate() returns trigger
language plpgsql security definer
set search_path = '' set timezone = 'UTC' set datestyle = 'ISO' set extra_float_digits = 1 set bytea_output = 'hex' set intervalstyle = 'postgres'
as $$
begin
  execute format(
    'insert into truststream.changes (schema_name, table_name, kind, old, origin)
     select %L, %L, ''DELETE'', row_to_json(r), nullif(current_setting(''truststream.origin'', true), '''') from only %I.%I r',
    tg_table_schema, tg_table_name, tg_table_schema, tg_table_name);
  return null;
end $$;
