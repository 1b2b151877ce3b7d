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

-- A log of rows as JSON could not tell null from the JSON null: it starts again.
do $$ begin
  if exists (select from pg_attribute where attrelid = to_regclass('truststream.changes')
             and attname = 'new' and atttypid = 'json'::regtype) then
    insert into truststream.trimmed (xid) values (pg_current_xact_id())
      on conflict (only_row) do update set xid = excluded.xid;
    drop table truststream.changes;
  end if;
end $$;

-- The change log: rows as records, and the names of their fields. Sequence order is not commit order: it is read by difference of snapshots.
create table if not exists truststream.changes (
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

-- Until when tables are closed to direct writers, in milliseconds since 1970, and in which epoch that was said.
create sequence if not exists truststream.fenced_until minvalue 0 start 0;
create table if not exists truststream.fence (only_row boolean primary key default true check (only_row), epoch bigint not null);

-- Refuses statements while the fence is closed, except those of streams whose name begins as its argument says.
create or replace function truststream.refuse() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  if (select last_value from truststream.fenced_until) > extract(epoch from clock_timestamp()) * 1000
     and not starts_with(coalesce(current_setting('truststream.origin', true), ''), tg_argv[0]) then
    raise exception using errcode = '25006', constraint = 'truststream_fence',
      message = format('table %I.%I is closed: another backend serves this application now', tg_table_schema, tg_table_name),
      hint = 'write through TrustStream, or to the backend that `truststream switch status` names';
  end if;
  return null;
end $$;

create or replace function truststream.capture() returns trigger
language plpgsql security definer
set search_path = '' set timezone = 'UTC' set datestyle = 'ISO' set extra_float_digits = 1 set bytea_output = 'hex' set intervalstyle = 'postgres'
as $$
begin
  insert into truststream.changes (schema_name, table_name, kind, names, old, new, origin)
  values (tg_table_schema, tg_table_name, tg_op,
          array(select attname::text from pg_catalog.pg_attribute
                where attrelid = tg_relid and attnum > 0 and not attisdropped order by attnum),
          case when tg_op <> 'INSERT' then old::text end,
          case when tg_op <> 'DELETE' then new::text end,
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
    'insert into truststream.changes (schema_name, table_name, kind, names, old, origin)
     select %L, %L, ''DELETE'', $1, row(r.*)::text, nullif(current_setting(''truststream.origin'', true), '''') from only %I.%I r',
    tg_table_schema, tg_table_name, tg_table_schema, tg_table_name)
  using array(select attname::text from pg_catalog.pg_attribute
              where attrelid = tg_relid and attnum > 0 and not attisdropped order by attnum);
  return null;
end $$;

-- Whoever listens hears of a schema that changed, also when it was changed by other means. Event
-- triggers are the superuser's: without one the catalogs are looked at now and then.
create or replace function truststream.tell_of_changes() returns event_trigger
language plpgsql set search_path = 'pg_catalog' as $$
begin
  if tg_event = 'sql_drop' then
    if not exists (select from pg_event_trigger_dropped_objects()
                   where not is_temporary and object_name is distinct from 'truststream_capture'
                     and object_name is distinct from 'truststream_capture_truncate') then
      return;
    end if;
  elsif not exists (select from pg_event_trigger_ddl_commands()
                    where coalesce(schema_name, '') not in ('truststream', 'pg_temp')
                      and object_identity !~ '^truststream_(capture|fence)'
                      and command_tag not in ('REINDEX', 'REFRESH MATERIALIZED VIEW')) then
    return;
  end if;
  notify pgrst, 'reload schema';
end $$;
do $$ begin
  if not exists (select from pg_event_trigger where evtname = 'truststream_ddl') then
    create event trigger truststream_ddl on ddl_command_end execute function truststream.tell_of_changes();
    create event trigger truststream_drop on sql_drop execute function truststream.tell_of_changes();
  end if;
exception when insufficient_privilege then null;
end $$;

-- Which format all of this has: `FORMAT` in install.rs.
insert into truststream.settings values ('format', '4')
on conflict (name) do update set value = excluded.value;
