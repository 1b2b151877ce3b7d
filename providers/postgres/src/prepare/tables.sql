-- Tables of applications and engines, not those of extensions and of a platform's own services.
select format('%I.%I', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition
  and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
  and format('%I.%I', n.nspname, c.relname) <> all ({foreign})
