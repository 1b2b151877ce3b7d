-- Which columns of views are columns of a table's key, through views of views. The parameter lists the
-- columns that a view's stored query marks as coming unchanged from a relation.
with recursive entries as (
  select * from json_to_recordset($1::json) as e(view oid, number int2, origin oid, origin_number int2)
),
origins as (
  select view, number, origin, origin_number, array[view] as path from entries where origin <> 0
  union all
  select o.view, o.number, e.origin, e.origin_number, o.path || o.origin
  from origins o join entries e on e.view = o.origin and e.number = o.origin_number
  where e.origin <> 0 and o.origin <> all (o.path)
),
columns as (
  select o.view, o.origin, o.origin_number, json_agg(a.attname order by o.number) as names
  from (select distinct view, number, origin, origin_number from origins) o
  join pg_attribute a on a.attrelid = o.view and a.attnum = o.number
  group by o.view, o.origin, o.origin_number
),
keys as (
  select oid, contype::text as type, conrelid as relation, conkey as numbers from pg_constraint
  where contype in ('p', 'f') and conparentid = 0
  union all
  select oid, 'r', confrelid, confkey from pg_constraint where contype = 'f' and conparentid = 0
)
select json_build_object(
  'view', json_build_object('schema', vn.nspname, 'name', v.relname),
  'table', json_build_object('schema', tn.nspname, 'name', t.relname),
  'constraint', c.conname,
  'type', k.type,
  'columns', json_agg(json_build_array(a.attname, s.names) order by u.place)
)::text
from keys k
join pg_constraint c on c.oid = k.oid
cross join lateral unnest(k.numbers) with ordinality u(number, place)
join columns s on s.origin = k.relation and s.origin_number = u.number
join pg_attribute a on a.attrelid = k.relation and a.attnum = u.number
join pg_class v on v.oid = s.view
join pg_namespace vn on vn.oid = v.relnamespace
join pg_class t on t.oid = k.relation
join pg_namespace tn on tn.oid = t.relnamespace
group by k.oid, k.type, k.numbers, c.conname, c.oid, v.oid, v.relname, vn.nspname, t.relname, tn.nspname
having count(*) = cardinality(k.numbers)
order by vn.nspname, v.relname, c.conname
