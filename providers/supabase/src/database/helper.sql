-- TrustStream's helper for a project that is reached by its URL and keys only. With it, TrustStream can
-- follow what changes here, and bring rows here without one being lost: a live switch from and to
-- this project.
--
-- Paste it into the project's SQL editor, or run it with psql as the owner of the tables. Running it
-- again renews it and keeps what it has recorded. It makes the schema truststream_remote and functions
-- in public whose names begin with truststream_; only the service role may call them. Triggers are put
-- on tables while somebody follows them. To remove it all:
--   select truststream_remove();

create schema if not exists truststream_remote;
revoke all on schema truststream_remote from public;
comment on schema truststream_remote is 'Kept by TrustStream''s helper: change log, positions of streams';

{change log}
-- Where the streams of other databases' changes stand here.
create table if not exists truststream_remote.applied (origin text primary key, position jsonb not null);

-- Tables whose rows come from another database, until it is decided whether they stay.
create table if not exists truststream_remote.received (relation regclass primary key);

-- Keys taken away while rows arrive.
create table if not exists truststream_remote.deferred (
  id bigint generated always as identity primary key,
  foreign_key boolean not null, restore text not null
);

create or replace function truststream_remote.relation(part jsonb) returns regclass
language sql stable set search_path = '' as $$
  select format('%I.%I', part ->> 'schema', part ->> 'name')::regclass
$$;

-- Puts triggers on the tables that somebody follows, and takes them from all others.
create or replace function truststream_remote.set_triggers() returns void
language plpgsql security definer set search_path = '' as $$
declare item record;
begin
  for item in
    select format('%I.%I', w.schema_name, w.table_name) as relation
    from (select distinct schema_name, table_name from truststream_remote.captures) w
    where not exists (select from pg_trigger t where t.tgname = 'truststream_remote_capture'
                      and t.tgrelid = to_regclass(format('%I.%I', w.schema_name, w.table_name)))
    order by 1
  loop
    execute format('create trigger truststream_remote_capture after insert or update or delete on %s
      for each row execute function truststream_remote.capture()', item.relation);
    execute format('create trigger truststream_remote_capture_truncate before truncate on %s
      for each statement execute function truststream_remote.capture_truncate()', item.relation);
    execute format('alter table %s enable always trigger truststream_remote_capture', item.relation);
    execute format('alter table %s enable always trigger truststream_remote_capture_truncate', item.relation);
  end loop;
  for item in
    select t.tgrelid::regclass as relation from pg_trigger t
    join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where t.tgname = 'truststream_remote_capture' and t.tgparentid = 0
      and not exists (select from truststream_remote.captures w
                      where w.schema_name = n.nspname and w.table_name = c.relname)
  loop
    execute format('drop trigger if exists truststream_remote_capture on %s', item.relation);
    execute format('drop trigger if exists truststream_remote_capture_truncate on %s', item.relation);
  end loop;
end $$;

-- What may take long says so by its setting of statement_timeout, which the data API heeds before it begins.

-- Which version of this script is here.
create or replace function public.truststream_version() returns integer
language sql immutable set search_path = '' as $$ select 3 $$;

-- Views, which the data API describes like tables.
create or replace function public.truststream_views() returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', c.relname)), '[]')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
$$;

-- Sets which tables a consumer follows. Making a trigger waits for every writer of its table.
create or replace function public.truststream_capture(consumer text, tables jsonb) returns boolean
language plpgsql security definer set search_path = '' set statement_timeout = 0 as $$
begin
  lock table truststream_remote.captures in exclusive mode;
  delete from truststream_remote.captures c where c.consumer = truststream_capture.consumer;
  insert into truststream_remote.captures
    select truststream_capture.consumer, one ->> 'schema', one ->> 'name' from jsonb_array_elements(tables) one
    on conflict do nothing;
  perform truststream_remote.set_triggers();
  return true;
end $$;

-- The end of the change log now. The message makes the commit reach the disk, with everything before it:
-- numbers of transactions below are never given out again after a crash.
create or replace function public.truststream_present() returns text
language plpgsql security definer set search_path = '' as $$
declare present text := pg_current_snapshot()::text;
begin
  perform pg_logical_emit_message(true, 'truststream_remote', '');
  return present;
end $$;

-- What is visible now and was not visible in `after`: whole transactions, so many changes at least if
-- there are. Those come first whose last change comes first: a transaction that changed a key after
-- another one did has its last change after the other's.
create or replace function public.truststream_changes(after text, most bigint) returns jsonb
language sql stable security definer set search_path = '' set statement_timeout = 0 as $$
  with fresh as materialized (
    select c.* from truststream_remote.changes c
    where c.xid >= pg_snapshot_xmin(after::pg_snapshot) and not pg_visible_in_snapshot(c.xid, after::pg_snapshot)
  ), transactions as (
    select xid, coalesce(sum(size) over (order by last rows between unbounded preceding and 1 preceding), 0) as before
    from (select xid, max(seq) as last, count(*) as size from fresh group by xid) each
  )
  select jsonb_build_object(
    'now', pg_current_snapshot()::text,
    'trimmed', (select xid::text from truststream_remote.trimmed),
    'left', (select coalesce(jsonb_agg(xid::text), '[]') from transactions where before >= most),
    'changes', (select coalesce(jsonb_agg(jsonb_build_object(
        'sequence', f.seq, 'transaction', f.xid::text, 'schema', f.schema_name, 'table', f.table_name,
        'kind', f.kind, 'names', f.names, 'old', f.old, 'new', f.new, 'origin', f.origin,
        'made_at', (extract(epoch from f.made_at) * 1000000)::bigint) order by f.seq), '[]')
      from fresh f join transactions t using (xid) where t.before < most))
$$;

-- Removes changes older than so many seconds that no running transaction is needed for.
create or replace function public.truststream_trim(seconds bigint) returns boolean
language sql security definer set search_path = '' set statement_timeout = 0 as $$
  with gone as (
    delete from truststream_remote.changes
    where made_at < now() - make_interval(secs => seconds) and xid < pg_snapshot_xmin(pg_current_snapshot())
    returning xid
  ), newest as (select max(xid::text::numeric)::text::xid8 as xid from gone)
  insert into truststream_remote.trimmed as t (xid) select xid from newest where xid is not null
  on conflict (only_row) do update set xid = excluded.xid where t.xid < excluded.xid;
  select true
$$;

create or replace function public.truststream_position(origin text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select position from truststream_remote.applied a where a.origin = truststream_position.origin
$$;

create or replace function truststream_remote.remove(part jsonb) returns void
language plpgsql set search_path = '' as $$
declare relation regclass := truststream_remote.relation(part); condition text;
begin
  select string_agg(format('t.%I = (k.value ->> %s)::%s', a.attname, c.at - 1, format_type(a.atttypid, null)), ' and ')
  into condition
  from jsonb_array_elements_text(part -> 'key') with ordinality c (name, at)
  join pg_attribute a on a.attrelid = relation and a.attname = c.name;
  execute format('delete from %s t using jsonb_array_elements($1) k where %s', relation, condition) using part -> 'gone';
end $$;

create or replace function truststream_remote.put(part jsonb) returns void
language plpgsql set search_path = '' as $$
declare relation regclass := truststream_remote.relation(part); names text; found text; keys text; others text;
begin
  select string_agg(quote_ident(a.attname), ', ' order by c.at),
         string_agg(format('(k.value ->> %s)::%s', c.at - 1, format_type(a.atttypid, null)), ', ' order by c.at),
         string_agg(format('%1$I = excluded.%1$I', a.attname), ', ') filter (where not part -> 'key' ? a.attname::text)
  into names, found, others
  from jsonb_array_elements_text(part -> 'columns') with ordinality c (name, at)
  join pg_attribute a on a.attrelid = relation and a.attname = c.name and a.attgenerated = '';
  select string_agg(quote_ident(name), ', ') into keys from jsonb_array_elements_text(part -> 'key') name;
  execute format('insert into %s (%s) overriding system value select %s from jsonb_array_elements($1) with ordinality k (value, at) order by k.at
                  on conflict (%s) do %s',
                 relation, names, found, keys, coalesce('update set ' || others, 'nothing')) using part -> 'rows';
end $$;

-- Rows and changes of another database, in one transaction with the position reached; false if the
-- stream does not stand where it is expected. No trigger fires but those that record changes.
create or replace function public.truststream_apply(origin text, expected jsonb, reached jsonb, tables jsonb)
returns boolean language plpgsql security definer
set search_path = '' set statement_timeout = 0
set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $$
declare
  stands jsonb; part jsonb;
  wanted jsonb := nullif(expected, 'null'); after jsonb := nullif(reached, 'null');
begin
  perform pg_advisory_xact_lock(hashtextextended('truststream_remote/' || origin, 0));
  select a.position into stands from truststream_remote.applied a where a.origin = truststream_apply.origin;
  if (wanted is not null or after is not null) and stands is distinct from wanted then
    return false;
  end if;
  if after is not null then
    insert into truststream_remote.applied as a values (origin, after)
      on conflict on constraint applied_pkey do update set position = excluded.position;
  end if;
  perform set_config('truststream_remote.origin', origin, true);
  set local session_replication_role = replica;
  for part in select * from jsonb_array_elements(tables) loop
    if jsonb_array_length(part -> 'gone') > 0 then perform truststream_remote.remove(part); end if;
  end loop;
  for part in select * from jsonb_array_elements(tables) loop
    if jsonb_array_length(part -> 'rows') > 0 then perform truststream_remote.put(part); end if;
  end loop;
  set local session_replication_role = origin;
  perform set_config('truststream_remote.origin', '', true);
  return true;
end $$;

-- Takes foreign keys and secondary unique keys of the received tables away.
create or replace function truststream_remote.defer() returns void
language plpgsql set search_path = '' as $$
declare item record;
begin
  for item in
    select c.conname, c.contype, c.conrelid::regclass as relation, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c
    where c.contype in ('f', 'u', 'x') and c.conparentid = 0
      and (c.conrelid in (select relation from truststream_remote.received)
           or c.contype = 'f' and c.confrelid in (select relation from truststream_remote.received))
    order by c.contype <> 'f', c.oid
  loop
    insert into truststream_remote.deferred (foreign_key, restore) values
      (item.contype = 'f', format('alter table %s add constraint %I %s', item.relation, item.conname, item.definition));
    execute format('alter table %s drop constraint %I', item.relation, item.conname);
  end loop;
  for item in
    select x.indexrelid::regclass as index, pg_get_indexdef(x.indexrelid) as definition
    from pg_index x
    where x.indisunique and not x.indisprimary and x.indrelid in (select relation from truststream_remote.received)
      and not exists (select from pg_constraint c where c.conindid = x.indexrelid)
  loop
    insert into truststream_remote.deferred (foreign_key, restore) values (false, item.definition);
    execute format('drop index %s', item.index);
  end loop;
end $$;

create or replace function truststream_remote.restore() returns void
language plpgsql set search_path = '' as $$
declare item record;
begin
  for item in select restore from truststream_remote.deferred order by foreign_key, id loop
    execute item.restore;
  end loop;
  delete from truststream_remote.deferred;
end $$;

-- Sets every sequence that a column takes its values from past the largest value present.
create or replace function truststream_remote.advance(room bigint) returns void
language plpgsql set search_path = '' as $$
declare item record; largest bigint; reached bigint;
begin
  for item in
    select a.attrelid::regclass as relation, a.attname as name,
           pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass as sequence
    from pg_attribute a join truststream_remote.received r on r.relation = a.attrelid
    where a.attnum > 0 and not a.attisdropped and (a.attidentity <> '' or a.atthasdef)
      and pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) is not null
  loop
    execute format('select max(%I)::bigint from %s', item.name, item.relation) into largest;
    execute format('select case when is_called then last_value else 0 end from %s', item.sequence) into reached;
    if largest is not null and largest + room > reached then
      perform setval(item.sequence, greatest(largest + room, 1));
    end if;
  end loop;
end $$;

-- Makes ready for the rows of another database, and done with it. Returns a table that holds rows
-- already and so is in the way of beginning; nothing is done, and the name is empty, if there is a claim
-- and its stream stands elsewhere.
drop function if exists public.truststream_prepare(text, jsonb);
create or replace function public.truststream_prepare(step text, tables jsonb, claim text, stands jsonb) returns text
language plpgsql security definer set search_path = '' set statement_timeout = 0 as $$
declare one regclass; holds boolean;
begin
  if claim is not null then
    perform pg_advisory_xact_lock(hashtextextended('truststream_remote/' || claim, 0));
    if not exists (select from truststream_remote.applied a where a.origin = claim and a.position = stands) then
      return '';
    end if;
  end if;
  if step = 'begin' then
    for one in select truststream_remote.relation(t) from jsonb_array_elements(tables) t loop
      execute format('select exists (select from %s)', one) into holds;
      if holds then return one::text; end if;
    end loop;
    insert into truststream_remote.received
      select distinct truststream_remote.relation(t) from jsonb_array_elements(tables) t on conflict do nothing;
    perform truststream_remote.defer();
  elsif step = 'finish' then
    perform truststream_remote.restore();
    perform truststream_remote.advance(0);
  elsif step = 'identities' then
    perform truststream_remote.advance(100);
  elsif step = 'discard' then
    if exists (select from truststream_remote.received) then
      set local session_replication_role = replica;
      -- A table that was dropped meanwhile has nothing to give back.
      delete from truststream_remote.received r where not exists (select from pg_class c where c.oid = r.relation);
      for one in select relation from truststream_remote.received loop
        execute format('delete from %s', one);
      end loop;
      set local session_replication_role = origin;
      perform truststream_remote.restore();
      delete from truststream_remote.received;
      delete from truststream_remote.applied a where a.origin is distinct from claim;
    end if;
  elsif step = 'keep' then
    delete from truststream_remote.received;
  end if;
  return null;
end $$;

-- What made the schema, as TrustStream or the supabase CLI recorded it.
create or replace function public.truststream_migrations() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare own jsonb := '[]'; supabase jsonb := '[]';
begin
  if to_regclass('truststream.migrations') is not null then
    execute 'select coalesce(jsonb_agg(jsonb_build_object(''name'', name, ''sql'', sql) order by position), ''[]'') from truststream.migrations' into own;
  end if;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select coalesce(jsonb_agg(jsonb_build_object(
        ''name'', version || coalesce(''_'' || nullif(name, ''''), '''') || ''.sql'',
        ''sql'', coalesce(array_to_string(statements, E'';\n''), '''')) order by version), ''[]'')
      from supabase_migrations.schema_migrations s
      where not exists (select from jsonb_array_elements($1) m
                        where m ->> ''name'' = s.version || ''.sql'' or starts_with(m ->> ''name'', s.version || ''_''))'
    into supabase using own;
  end if;
  return own || supabase;
end $$;

-- The names of the same: writes are held while a switch asks for them.
create or replace function public.truststream_migration_names() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare own jsonb := '[]'; supabase jsonb := '[]';
begin
  if to_regclass('truststream.migrations') is not null then
    execute 'select coalesce(jsonb_agg(name order by position), ''[]'') from truststream.migrations' into own;
  end if;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select coalesce(jsonb_agg(version || coalesce(''_'' || nullif(name, ''''), '''') || ''.sql'' order by version), ''[]'')
      from supabase_migrations.schema_migrations s
      where not exists (select from jsonb_array_elements_text($1) m
                        where m = s.version || ''.sql'' or starts_with(m, s.version || ''_''))'
    into supabase using own;
  end if;
  return own || supabase;
end $$;

-- Removes the helper with all it has recorded.
create or replace function public.truststream_remove() returns void
language plpgsql security definer set search_path = '' as $$
declare item record;
begin
  delete from truststream_remote.captures;
  perform truststream_remote.set_triggers();
  drop schema truststream_remote cascade;
  for item in
    select p.oid::regprocedure as routine from pg_proc p
    where p.pronamespace = 'public'::regnamespace and starts_with(p.proname, 'truststream_')
  loop
    execute format('drop function %s', item.routine);
  end loop;
end $$;

do $$
declare item record;
begin
  for item in
    select p.oid::regprocedure as routine from pg_proc p
    where p.pronamespace = 'public'::regnamespace and starts_with(p.proname, 'truststream_')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', item.routine);
    -- Removing it is the owner's.
    if item.routine <> 'public.truststream_remove()'::regprocedure then
      execute format('grant execute on function %s to service_role', item.routine);
    end if;
  end loop;
end $$;

-- The data API knows new functions once it has looked again.
notify pgrst, 'reload schema';
