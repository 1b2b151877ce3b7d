-- What the server itself says makes each object, and what planning of requests has no use for.
with owned as (
  select classid, objid from pg_depend where deptype = 'e'
),
users as (
  select oid, nspname from pg_namespace
  where nspname !~ '^pg_' and nspname not in ('information_schema', 'truststream', 'supabase_migrations')
)
select json_build_object(
  'definitions', coalesce((select json_object_agg(key, text) from (
    select 'extension ' || e.extname as key,
           format('create extension if not exists %I with schema %I', e.extname, n.nspname) as text
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname <> 'plpgsql'
    union all
    select format('constraint %s.%s.%s', n.nspname, c.relname, k.conname),
           format('alter table %I.%I add constraint %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))
    from pg_constraint k join pg_class c on c.oid = k.conrelid join users n on n.oid = c.relnamespace
    where k.contype in ('p', 'u', 'f', 'c')
    union all
    select format('index %s.%s', n.nspname, i.relname), pg_get_indexdef(i.oid)
    from pg_class i join users n on n.oid = i.relnamespace where i.relkind in ('i', 'I')
    union all
    select format('trigger %s.%s.%s', n.nspname, c.relname, t.tgname), pg_get_triggerdef(t.oid)
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join users n on n.oid = c.relnamespace
    where not t.tgisinternal
  ) d), '{}'),
  'functions', coalesce((select json_agg(json_build_object(
      'schema', n.nspname, 'name', p.proname,
      'types', (select coalesce(json_agg(format_type(a.type, null) order by a.place), '[]')
                from unnest(p.proargtypes) with ordinality a(type, place)),
      'arguments', pg_get_function_arguments(p.oid),
      'returns', pg_get_function_result(p.oid),
      'definition', rtrim(pg_get_functiondef(p.oid), E'\n'),
      'comment', obj_description(p.oid, 'pg_proc'),
      'grants', (select json_agg(json_build_array(coalesce(r.rolname, 'public'), coalesce(r.oid = p.proowner, false)))
                 from aclexplode(p.proacl) x left join pg_roles r on r.oid = x.grantee))
      order by n.nspname, p.proname, p.oid)
    from pg_proc p join users n on n.oid = p.pronamespace
    where p.prokind in ('f', 'p') and not exists (select from owned o where o.classid = 'pg_proc'::regclass and o.objid = p.oid)), '[]'),
  'triggers', coalesce((select json_agg(json_build_array(n.nspname, c.relname, t.tgname))
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join users n on n.oid = c.relnamespace
    where not t.tgisinternal and t.tgname !~ '^truststream_'), '[]'),
  'relations', coalesce((select json_agg(json_build_object(
      'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'owner', r.rolname,
      'invoker', coalesce(c.reloptions::text ~* 'security_invoker=(true|on|1)', false),
      'foreign', c.relkind in ('m', 'f', 'p') or exists (
        select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)))
    from pg_class c join users n on n.oid = c.relnamespace join pg_roles r on r.oid = c.relowner
    where c.relkind in ('r', 'v', 'm', 'f', 'p')), '[]'),
  'domains', coalesce((select json_agg(json_build_object(
      'schema', n.nspname, 'name', t.typname, 'base', format_type(t.typbasetype, t.typtypmod),
      'not_null', t.typnotnull, 'default', t.typdefault,
      'checks', (select coalesce(json_agg(json_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin, 0)) order by k.conname), '[]')
                 from pg_constraint k where k.contypid = t.oid and k.contype = 'c')))
    from pg_type t join users n on n.oid = t.typnamespace
    where t.typtype = 'd' and not exists (select from owned o where o.classid = 'pg_type'::regclass and o.objid = t.oid)), '[]'),
  'sequences', coalesce((select json_agg(json_build_object(
      'schema', n.nspname, 'name', c.relname, 'start', s.seqstart, 'increment', s.seqincrement,
      'owner', case when d.refobjid is not null then json_build_array(tn.nspname, t.relname, a.attname) end))
    from pg_sequence s join pg_class c on c.oid = s.seqrelid join users n on n.oid = c.relnamespace
    left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
      and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
    left join pg_class t on t.oid = d.refobjid
    left join pg_namespace tn on tn.oid = t.relnamespace
    left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.deptype is distinct from 'i' or s.seqstart <> 1 or s.seqincrement <> 1), '[]'),
  'enums_of_extensions', coalesce((select json_agg(json_build_array(n.nspname, t.typname))
    from pg_type t join users n on n.oid = t.typnamespace
    where t.typtype = 'e' and exists (select from owned o where o.classid = 'pg_type'::regclass and o.objid = t.oid)), '[]')
)::text
