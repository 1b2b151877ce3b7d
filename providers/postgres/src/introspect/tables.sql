-- Tables, views and foreign tables with all that belongs to each, one JSON object a row.
with recursive bases as (
  select oid as domain, typbasetype as base, typtypmod as modifier from pg_type where typtype = 'd'
  union all
  select b.domain, t.typbasetype, t.typtypmod from bases b join pg_type t on t.oid = b.base where t.typtype = 'd'
),
relations as (
  select c.oid, n.nspname as schema, c.relname as name, c.relkind as kind, c.relrowsecurity as row_security,
         c.relacl as acl, c.relowner as owner,
         c.relrowsecurity or coalesce(c.reloptions::text ~* 'security_invoker=(true|on|1)', false) as judged,
         case when c.relkind in ('v', 'f') then pg_relation_is_updatable(c.oid::regclass, true) end as writable
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'v', 'm', 'f', 'p')
    and not c.relispartition
    and n.nspname not in ('pg_catalog', 'information_schema', 'truststream')
    and n.nspname !~ '^pg_(toast|temp_)'
),
columns as (
  select a.attrelid,
         json_agg(json_build_object(
           'name', a.attname,
           'type_name', format_type(a.atttypid, a.atttypmod),
           'base_type', format_type(b.oid, d2.modifier),
           'is_enum', coalesce(b.typtype, t.typtype) = 'e' or exists (
             select from pg_type e where e.oid = coalesce(b.typelem, t.typelem) and e.typtype = 'e'),
           'nullable', not (a.attnotnull or t.typtype = 'd' and t.typnotnull),
           'default', case
             when a.attgenerated <> '' or a.attidentity <> '' then null
             else coalesce(pg_get_expr(d.adbin, d.adrelid), pg_get_expr(t.typdefaultbin, 0))
           end,
           'identity', case
             when a.attidentity = 'a' then 'always'
             when a.attidentity = 'd' then 'by_default'
             when pg_get_expr(d.adbin, d.adrelid) like 'nextval(%' then 'serial'
           end,
           'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
           'comment', col_description(a.attrelid, a.attnum)
         ) order by a.attnum) as all
  from pg_attribute a
  join relations r on r.oid = a.attrelid
  join pg_type t on t.oid = a.atttypid
  left join (bases d2 join pg_type b on b.oid = d2.base and b.typtype <> 'd') on d2.domain = t.oid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attnum > 0 and not a.attisdropped
  group by a.attrelid
),
keys as (
  select c.conrelid, c.contype, c.conname,
         (select json_agg(a.attname order by k.place)
          from unnest(c.conkey) with ordinality k(number, place)
          join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number) as own,
         (select json_agg(a.attname order by k.place)
          from unnest(c.confkey) with ordinality k(number, place)
          join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.number) as other,
         fn.nspname as other_schema, f.relname as other_name,
         c.confdeltype, c.confupdtype, c.condeferred, c.conbin,
         (select i.indnullsnotdistinct from (select to_jsonb(x)->>'indnullsnotdistinct' = 'true' as indnullsnotdistinct
            from pg_index x where x.indexrelid = c.conindid) i) as nulls_equal
  from pg_constraint c
  join relations r on r.oid = c.conrelid
  left join pg_class f on f.oid = c.confrelid
  left join pg_namespace fn on fn.oid = f.relnamespace
  where c.conparentid = 0
),
actions(letter, name) as (
  values ('a', 'no_action'), ('r', 'restrict'), ('c', 'cascade'), ('n', 'set_null'), ('d', 'set_default')
)
select json_build_object(
  'schema', r.schema,
  'name', r.name,
  'view', r.kind in ('v', 'm'),
  'definition', case when r.kind in ('v', 'm') then pg_get_viewdef(r.oid) end,
  'insertable', r.kind in ('r', 'p') or coalesce(r.writable & 8 = 8, false),
  'updatable', r.kind in ('r', 'p') or coalesce(r.writable & 4 = 4, false),
  'deletable', r.kind in ('r', 'p') or coalesce(r.writable & 16 = 16, false),
  'row_security', r.row_security,
  'comment', obj_description(r.oid, 'pg_class'),
  'columns', coalesce((select c.all from columns c where c.attrelid = r.oid), '[]'),
  'primary_key', coalesce((select k.own from keys k where k.conrelid = r.oid and k.contype = 'p'), '[]'),
  'primary_key_name', (select k.conname from keys k where k.conrelid = r.oid and k.contype = 'p'),
  'unique_keys', coalesce((
    select json_agg(json_build_object(
      'name', k.conname, 'columns', k.own, 'nulls_not_distinct', coalesce(k.nulls_equal, false)) order by k.conname)
    from keys k where k.conrelid = r.oid and k.contype = 'u'), '[]'),
  'foreign_keys', coalesce((
    select json_agg(json_build_object(
      'name', k.conname, 'columns', k.own,
      'references', json_build_object('schema', k.other_schema, 'name', k.other_name),
      'referenced_columns', k.other,
      'on_delete', (select a.name from actions a where a.letter = k.confdeltype::text),
      'on_update', (select a.name from actions a where a.letter = k.confupdtype::text),
      'deferred', k.condeferred) order by k.conname)
    from keys k where k.conrelid = r.oid and k.contype = 'f'), '[]'),
  'checks', coalesce((
    select json_agg(json_build_object(
      'name', k.conname, 'expression', pg_get_expr(k.conbin, k.conrelid)) order by k.conname)
    from keys k where k.conrelid = r.oid and k.contype = 'c'), '[]'),
  'indexes', coalesce((
    select json_agg(json_build_object(
      'name', i.relname,
      'terms', (select json_agg(pg_get_indexdef(x.indexrelid, place, true) order by place)
                from generate_series(1, x.indnkeyatts) place),
      'unique', x.indisunique,
      'predicate', pg_get_expr(x.indpred, x.indrelid),
      'method', m.amname) order by i.relname)
    from pg_index x
    join pg_class i on i.oid = x.indexrelid
    join pg_am m on m.oid = i.relam
    where x.indrelid = r.oid
      and not exists (select from pg_constraint c where c.conindid = x.indexrelid and c.contype in ('p', 'u', 'x'))), '[]'),
  'policies', coalesce((
    select json_agg(json_build_object(
      'name', p.polname,
      'permissive', p.polpermissive,
      'command', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                               when 'd' then 'delete' else 'all' end,
      'roles', coalesce((select json_agg(o.rolname order by o.rolname) from pg_roles o where o.oid = any (p.polroles)), '[]'),
      'using', pg_get_expr(p.polqual, p.polrelid),
      'check', pg_get_expr(p.polwithcheck, p.polrelid)) order by p.polname)
    from pg_policy p where p.polrelid = r.oid), '[]'),
  'grants', coalesce((
    select json_agg(json_build_object(
      'role', g.role, 'privileges', g.privileges, 'columns', g.columns, 'revoke', g.revoke) order by g.place, g.role, g.privileges::text)
    from (
      -- What policies judge is open elsewhere unless it is said otherwise.
      select 0 as place, 'public' as role, '["all"]'::json as privileges, '[]'::json as columns, true as revoke
      where r.judged
      union all
      select 1, coalesce(o.rolname, 'public'), json_agg(lower(x.privilege_type) order by x.privilege_type), '[]', false
      from aclexplode(r.acl) x left join pg_roles o on o.oid = x.grantee
      group by 2
      union all
      select 2, coalesce(o.rolname, 'public'), json_build_array(lower(x.privilege_type)), json_agg(a.attname order by a.attnum), false
      from pg_attribute a, aclexplode(a.attacl) x left join pg_roles o on o.oid = x.grantee
      where a.attrelid = r.oid and not a.attisdropped and x.grantee <> r.owner
      group by 2, x.privilege_type
    ) g), '[]')
)::text
from relations r
order by r.schema, r.name
