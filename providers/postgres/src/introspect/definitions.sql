-- What the server itself says makes each object, and what planning of requests has no use for.
with owned as (
  -- By an extension; functions also by a range type that brought them.
  select classid, objid from pg_depend where deptype = 'e' or deptype = 'i' and classid = 'pg_proc'::regclass
),
users as (
  select oid, nspname from pg_namespace
  where nspname !~ '^pg_' and nspname not in ('information_schema', 'truststream', 'supabase_migrations')
)
select json_build_object(
  'definitions', coalesce((select json_object_agg(key, text) from (
    select 'extension ' || e.extname as key,
           format('create extension if not exists %I with schema %I', e.extname, n.nspname) as text
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where n.nspname in (select nspname from users) and n.nspname not in ('cron', 'graphql', 'net', 'pgsodium', 'vault')
      -- What the set-up of an empty database brings.
      and (e.extname, n.nspname) not in (('pgcrypto', 'extensions'), ('uuid-ossp', 'extensions'))
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
    union all
    -- Views with options besides whose rights they use, and those that keep their rows.
    select format('view %s.%s', n.nspname, c.relname),
           format(case c.relkind when 'm' then E'create materialized view %I.%I%s as\n%s' else E'create view %I.%I%s as\n%s' end,
             n.nspname, c.relname, coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', ''),
             rtrim(pg_get_viewdef(c.oid), ';'))
    from pg_class c join users n on n.oid = c.relnamespace
    where c.relkind = 'm' or c.relkind = 'v' and exists (select from unnest(c.reloptions) o where o !~ '^security_invoker=')
    union all
    select format('comment on view %I.%I', n.nspname, c.relname),
           format('comment on materialized view %I.%I is %L', n.nspname, c.relname, obj_description(c.oid, 'pg_class'))
    from pg_class c join users n on n.oid = c.relnamespace
    where c.relkind = 'm' and obj_description(c.oid, 'pg_class') is not null
    union all
    select format('sequence %s.%s', n.nspname, c.relname),
           format('create sequence %I.%I as %s increment by %s minvalue %s maxvalue %s start with %s cache %s%s', n.nspname, c.relname,
             format_type(s.seqtypid, null), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
             case when s.seqcycle then ' cycle' else '' end)
    from pg_sequence s join pg_class c on c.oid = s.seqrelid join users n on n.oid = c.relnamespace
    where s.seqcycle or s.seqcache <> 1 or s.seqtypid <> 'bigint'::regtype or s.seqincrement > 0 and s.seqmin <> 1
      or s.seqincrement > 0 and s.seqmax <> 9223372036854775807 or s.seqincrement < 0 and s.seqmax <> -1
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
      'collations', (select json_object_agg(a.attname, format('%I.%I', cn.nspname, k.collname))
        from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_collation k on k.oid = a.attcollation
          join pg_namespace cn on cn.oid = k.collnamespace
        where a.attrelid = c.oid and c.relkind = 'r' and a.attnum > 0 and a.attcollation <> t.typcollation),
      'foreign', c.relkind in ('f', 'p') or exists (
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
  'notes', coalesce((select json_agg(note order by note) from (
    select format('%s: an aggregate: left out', p.oid::regprocedure) as note
    from pg_proc p join users n on n.oid = p.pronamespace
    where p.prokind = 'a' and not exists (select from owned o where o.classid = 'pg_proc'::regclass and o.objid = p.oid)
    union all
    select format('%s: an operator: left out', p.oid::regoperator) from pg_operator p join users n on n.oid = p.oprnamespace
    where not exists (select from owned o where o.classid = 'pg_operator'::regclass and o.objid = p.oid)
    union all
    select format('%s: an event trigger: left out', t.evtname) from pg_event_trigger t
    where t.evtname !~ '^truststream_' and not exists (select from owned o where o.classid = 'pg_event_trigger'::regclass and o.objid = t.oid)
    union all
    select format('%s: an extension of the platform: left out', e.extname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where n.nspname in ('cron', 'graphql', 'net', 'pgsodium', 'vault')
    union all
    select format('default privileges of the role %s: left out', d.defaclrole::regrole) from pg_default_acl d
    where d.defaclrole <> current_user::regrole group by d.defaclrole
  ) t), '[]'),
  'enums_of_extensions', coalesce((select json_agg(json_build_array(n.nspname, t.typname))
    from pg_type t join users n on n.oid = t.typnamespace
    where t.typtype = 'e' and exists (select from owned o where o.classid = 'pg_type'::regclass and o.objid = t.oid)), '[]')
)::text
