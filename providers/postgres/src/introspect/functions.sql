-- Functions that can be called, one JSON object a row; overloads with fewer parameters first.
with recursive own as (
  -- What comes with the server has thousands.
  select p.* from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname not in ('pg_catalog', 'information_schema', 'truststream')
),
bases as (
  select oid, typbasetype, coalesce(nullif(typbasetype, 0), oid) as base from pg_type
  union
  select t.oid, b.typbasetype, coalesce(nullif(b.typbasetype, 0), b.oid)
  from bases t join pg_type b on b.oid = t.typbasetype
),
parameters as (
  select p.oid,
         json_agg(json_build_object(
           'name', coalesce(a.name, ''),
           -- By a type of no length values are passed whole: `character` alone has one.
           'type_name', case a.type
             when 'bpchar'::regtype then 'character varying' when 'bpchar[]'::regtype then 'character varying[]'
             when 'bit'::regtype then 'bit varying' when 'bit[]'::regtype then 'bit varying[]'
             else format_type(a.type, null) end,
           'required', a.place <= p.pronargs - p.pronargdefaults,
           'variadic', coalesce(a.mode = 'v', false)) order by a.place) as all,
         case count(*) - count(a.name)
           when 0 then true
           when 1 then (array_agg(a.type))[1] in
             ('bytea'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text'::regtype, 'xml'::regtype)
           else false
         end as callable
  from own p, unnest(p.proargnames, p.proargtypes, p.proargmodes) with ordinality a(name, type, mode, place)
  where a.type is not null
  group by p.oid
)
select json_build_object(
  'name', json_build_object('schema', n.nspname, 'name', p.proname),
  'parameters', coalesce(a.all, '[]'),
  'returns', json_build_object(
    'type_name', case when 't' = any (p.proargmodes) then pg_get_function_result(p.oid)
      else format_type(p.prorettype, null) end,
    'set', p.proretset,
    'composite', t.typtype = 'c' or coalesce(p.proargmodes::text[] && '{t,b,o}', false),
    'table', case when c.relkind in ('r', 'v', 'm', 'f', 'p') then json_build_object('schema', cn.nspname, 'name', c.relname) end,
    'void', p.prorettype = 'void'::regtype),
  'reads_only', p.provolatile <> 'v',
  'variadic', p.provariadic <> 0,
  'language', l.lanname,
  'body', case when l.lanname in ('sql', 'plpgsql') then p.prosrc end,
  'security_definer', p.prosecdef,
  'isolation', (select lower(trim(both '"' from split_part(s, '=', 2))) from unnest(p.proconfig) s
                where s like 'default_transaction_isolation=%'),
  'comment', obj_description(p.oid, 'pg_proc'),
  'strict', p.proisstrict,
  'grants', case when p.proacl is null then '[]' else coalesce((
    select json_agg(json_build_object(
      'role', g.role, 'privileges', json_build_array('execute'), 'columns', '[]'::json, 'revoke', g.revoke))
    from (
      select 'public' as role, true as revoke
      where not exists (select from aclexplode(p.proacl) x where x.grantee = 0)
      union all
      select o.rolname, false from aclexplode(p.proacl) x join pg_roles o on o.oid = x.grantee
      where x.grantee <> p.proowner and x.privilege_type = 'EXECUTE'
    ) g), '[]') end,
  'settings', coalesce((select json_agg(json_build_array(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)))
                        from unnest(p.proconfig) s
                        where split_part(s, '=', 1) in ('statement_timeout', 'plan_filter.statement_cost_limit')), '[]')
)::text
from own p
join pg_namespace n on n.oid = p.pronamespace
join bases b on b.oid = p.prorettype and b.typbasetype = 0
join pg_type t on t.oid = b.base
join pg_language l on l.oid = p.prolang
left join pg_class c on c.oid = t.typrelid
left join pg_namespace cn on cn.oid = c.relnamespace
left join parameters a on a.oid = p.oid
where p.prokind = 'f'
  and p.prorettype <> 'trigger'::regtype
  and coalesce(a.callable, true)
order by n.nspname, p.proname, p.pronargs, p.oid
