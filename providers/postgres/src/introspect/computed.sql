-- Computed relationships: functions from a row of one relation to rows of another.
select json_build_object(
  'from', json_build_object('schema', an.nspname, 'name', a.relname),
  'to', json_build_object('schema', rn.nspname, 'name', r.relname),
  'link', json_build_object('computed', json_build_object(
    'function', json_build_object('schema', n.nspname, 'name', p.proname))),
  'to_one', not p.proretset or p.prorows = 1
)::text
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_class a on a.reltype = p.proargtypes[0] and a.relkind in ('v', 'r', 'm', 'f', 'p')
join pg_namespace an on an.oid = a.relnamespace
join pg_class r on r.reltype = p.prorettype and r.relkind in ('v', 'r', 'm', 'f', 'p')
join pg_namespace rn on rn.oid = r.relnamespace
where p.pronargs = 1 and p.proargtypes[0] <> 0
order by n.nspname, p.proname
