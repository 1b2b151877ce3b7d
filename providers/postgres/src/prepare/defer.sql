-- Takes away foreign keys and secondary unique keys, remembering how to put them back. Those of tables that
-- belong to others stay, and so do those of a platform's services, which go on using them: rows come to all
-- these with the checks of foreign keys silenced.
do $$
declare item record;
begin
  for item in
    select c.conname, c.contype, format('%I.%I', n.nspname, r.relname) as relation, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c
    join pg_class r on r.oid = c.conrelid
    join pg_namespace n on n.oid = r.relnamespace
    where c.contype in ('f', 'u', 'x') and c.conparentid = 0
      and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
      and not exists (select from pg_depend d where d.objid = r.oid and d.deptype = 'e')
      and pg_has_role(r.relowner, 'usage')
      and (n.nspname not in ('auth', 'storage') or r.relowner = current_user::regrole)
    order by c.contype <> 'f', c.oid
  loop
    insert into truststream.deferred (foreign_key, restore) values
      (item.contype = 'f', format('alter table %s add constraint %I %s', item.relation, item.conname, item.definition));
    execute format('alter table %s drop constraint %I', item.relation, item.conname);
  end loop;
  for item in
    select format('%I.%I', n.nspname, i.relname) as index, pg_get_indexdef(x.indexrelid) as definition
    from pg_index x
    join pg_class i on i.oid = x.indexrelid
    join pg_class r on r.oid = x.indrelid
    join pg_namespace n on n.oid = i.relnamespace
    where x.indisunique and not x.indisprimary and r.relkind in ('r', 'p')
      and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
      and not exists (select from pg_constraint c where c.conindid = x.indexrelid)
      and not exists (select from pg_depend d where d.objid = r.oid and d.deptype = 'e')
      and pg_has_role(r.relowner, 'usage')
      and (n.nspname not in ('auth', 'storage') or r.relowner = current_user::regrole)
  loop
    insert into truststream.deferred (foreign_key, restore) values (false, item.definition);
    execute format('drop index %s', item.index);
  end loop;
end $$;
