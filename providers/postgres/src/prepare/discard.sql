-- Removes all rows received and all that was made since the beginning.
do $$
declare item record; holds boolean;
begin
  if not exists (select from truststream.existing) then
    return; -- nothing was begun, or it is finished
  end if;
  -- Of tables that stay.
  for item in
    select 'policy' as kind, p.polname as name, p.polrelid::regclass as relation from pg_policy p
    where not exists (select from truststream.existing e where e.kind = 'policy' and e.id = p.oid)
    union all
    select 'trigger', t.tgname, t.tgrelid::regclass from pg_trigger t
    where not t.tgisinternal and t.tgname !~ '^truststream_' and t.tgparentid = 0
      and not exists (select from truststream.existing e where e.kind = 'trigger' and e.id = t.oid)
  loop
    execute format('drop %s if exists %I on %s', item.kind, item.name, item.relation);
  end loop;
  for item in
    select format('%I.%I', n.nspname, c.relname) as name, c.relkind
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'truststream')
      and not exists (select from truststream.existing e where e.kind = 'relation' and e.id = c.oid)
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
  loop
    execute format('drop %s if exists %s cascade',
      case item.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end, item.name);
  end loop;
  for item in
    select p.oid::regprocedure::text as name, p.prokind
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
      and not exists (select from truststream.existing e where e.kind = 'function' and e.id = p.oid)
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  loop
    execute format('drop routine if exists %s cascade', item.name);
  end loop;
  for item in
    select format('%I.%I', n.nspname, t.typname) as name
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
      and not exists (select from truststream.existing e where e.kind = 'type' and e.id = t.oid)
      and not exists (select from pg_depend d where d.objid = t.oid and d.deptype = 'e')
  loop
    execute format('drop type if exists %s cascade', item.name);
  end loop;
  for item in
    select format('%I', n.nspname) as name from pg_namespace n
    where n.nspname !~ '^pg_'
      and not exists (select from truststream.existing e where e.kind = 'schema' and e.id = n.oid)
  loop
    execute format('drop schema if exists %s cascade', item.name);
  end loop;
  for item in
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
      and format('%I.%I', n.nspname, c.relname) <> all ({foreign})
  loop
    execute format('select exists (select from %s)', item.name) into holds;
    if holds then execute format('truncate %s cascade', item.name); end if;
  end loop;
  for item in select restore from truststream.deferred order by foreign_key, id loop
    begin
      execute item.restore;
    exception when undefined_table or undefined_object or invalid_schema_name then
      null; -- its table was dropped above
    end;
  end loop;
  delete from truststream.migrations m
    where not exists (select from truststream.existing e where e.kind = 'migration' and e.id = m.position::oid);
  delete from truststream.deferred;
  delete from truststream.existing;
  -- Who holds the claim to do this goes on with it.
  delete from truststream.applied where origin is distinct from current_setting('truststream.claim', true);
end $$;
