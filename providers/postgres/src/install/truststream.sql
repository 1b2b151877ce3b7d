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

-- A log of rows as JSON could not tell null from the JSON null: it starts again.
do $$ begin
  if exists (select from pg_attribute where attrelid = to_regclass('truststream.changes')
             and attname = 'new' and atttypid = 'json'::regtype) then
    insert into truststream.trimmed (xid) values (pg_current_xact_id())
      on conflict (only_row) do update set xid = excluded.xid;
    drop table truststream.changes;
  end if;
end $$;

{change log}
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

-- What a trigger does that is on a table of somebody else, who alone may take it away.
create or replace function truststream.passed_over() returns trigger
language plpgsql set search_path = '' as $$ begin return null; end $$;

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
insert into truststream.settings values ('format', '5')
on conflict (name) do update set value = excluded.value;
