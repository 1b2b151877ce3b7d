-- What catalogs don't know of: objects with the statements that make them and take them away.
with owned as (
  -- By an extension; casts also by a type that brought them.
  select classid, objid from pg_depend where deptype = 'e' or deptype = 'i' and classid = 'pg_cast'::regclass
),
users as (
  select oid, nspname, nspacl, nspowner from pg_namespace
  where nspname !~ '^pg_' and nspname not in ('information_schema', 'truststream', 'supabase_migrations')
),
types as (
  select t.oid, t.typtype, t.typrelid, n.nspname, format('%I.%I', n.nspname, t.typname) as name
  from pg_type t join users n on n.oid = t.typnamespace
  where not exists (select from owned o where o.classid = 'pg_type'::regclass and o.objid = t.oid)
),
tables as (
  select c.oid, c.relkind, c.relreplident, c.relforcerowsecurity, n.nspname, c.relname,
         format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join users n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm')
    and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
),
-- What is granted besides what the set-up of an empty database grants.
rights as (
  select n.nspname, 'schema' as kind, format('%I', n.nspname) as name, x.grantee, x.privilege_type
  from users n, aclexplode(n.nspacl) x
  where x.grantee <> n.nspowner and not (n.nspname = 'public' and (
    x.grantee = 0 or x.grantee::regrole::text in ('anon', 'authenticated', 'service_role', 'pg_database_owner')))
  union all
  select n.nspname, 'sequence', format('%I.%I', n.nspname, c.relname), x.grantee, x.privilege_type
  from pg_class c join users n on n.oid = c.relnamespace, aclexplode(c.relacl) x
  where c.relkind = 'S' and x.grantee <> c.relowner
    and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
    and not (n.nspname = 'public' and (x.grantee::regrole::text = 'service_role'
      or x.grantee::regrole::text in ('anon', 'authenticated') and x.privilege_type in ('USAGE', 'SELECT')))
),
-- What is granted in advance by the role that migrates; without a schema, as against what always is.
advance as (
  select coalesce(n.nspname, '') as nspname, d.defaclobjtype as letter, x.grantee, x.privilege_type, false as revoked
  from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace, aclexplode(d.defaclacl) x
  where d.defaclrole = current_user::regrole and x.grantee <> d.defaclrole
    and (d.defaclnamespace <> 0 or not exists (
      select from aclexplode(acldefault(d.defaclobjtype, d.defaclrole)) a
      where a.grantee = x.grantee and a.privilege_type = x.privilege_type))
    and not (coalesce(n.nspname, '') in ('public', 'storage') and (
      x.grantee::regrole::text = 'service_role' and d.defaclobjtype in ('r', 'S')
      or x.grantee::regrole::text in ('anon', 'authenticated') and d.defaclobjtype = 'S'
         and x.privilege_type in ('USAGE', 'SELECT')))
  union all
  select '', d.defaclobjtype, a.grantee, a.privilege_type, true
  from pg_default_acl d, aclexplode(acldefault(d.defaclobjtype, d.defaclrole)) a
  where d.defaclrole = current_user::regrole and d.defaclnamespace = 0 and a.grantee <> d.defaclrole
    and not exists (select from aclexplode(d.defaclacl) x where x.grantee = a.grantee and x.privilege_type = a.privilege_type)
),
kinds(letter, name) as (
  values ('r'::"char", 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas')
),
found as (
  select 1 as place, 'types' as stage, n.nspname as schema, null::oid as relation, format('collation %I.%I', n.nspname, c.collname) as key,
         format('create collation %I.%I (provider = %s, locale = %L%s)', n.nspname, c.collname,
           case c.collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
           coalesce(to_jsonb(c)->>'colllocale', to_jsonb(c)->>'colliculocale', c.collcollate),
           case when c.collisdeterministic then '' else ', deterministic = false' end) as create,
         format('drop collation %I.%I', n.nspname, c.collname) as drop
  from pg_collation c join users n on n.oid = c.collnamespace
  union all
  select 2, 'types', t.nspname, null, 'composite ' || t.name,
         format('create type %s as (%s)', t.name, (
           select string_agg(format(E'\n  %I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ',' order by a.attnum)
           from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) || E'\n'),
         format('drop type %s', t.name)
  from types t join pg_class c on c.oid = t.typrelid where t.typtype = 'c' and c.relkind = 'c'
  union all
  select 3, 'types', t.nspname, null, 'range ' || t.name,
         format('create type %s as range (subtype = %s)', t.name, format_type(r.rngsubtype, null)),
         format('drop type %s', t.name)
  from types t join pg_range r on r.rngtypid = t.oid where t.typtype = 'r'
  union all
  select 4, 'constraints', t.nspname, t.oid, format('constraint %s.%s.%s', t.nspname, t.relname, k.conname),
         format('alter table %s add constraint %I %s', t.name, k.conname, pg_get_constraintdef(k.oid)),
         format('alter table %s drop constraint %I', t.name, k.conname)
  from pg_constraint k join tables t on t.oid = k.conrelid where k.contype = 'x'
  union all
  select 5, 'rules', t.nspname, t.oid, format('force row security of %s', t.name),
         format('alter table %s force row level security', t.name), format('alter table %s no force row level security', t.name)
  from tables t where t.relforcerowsecurity
  union all
  select 6, 'rules', t.nspname, t.oid, format('replica identity of %s', t.name),
         format('alter table %s replica identity %s', t.name, case t.relreplident when 'f' then 'full' when 'n' then 'nothing' else (
           select format('using index %I', i.relname) from pg_index x join pg_class i on i.oid = x.indexrelid
           where x.indrelid = t.oid and x.indisreplident) end),
         format('alter table %s replica identity default', t.name)
  from tables t where t.relkind in ('r', 'p') and t.relreplident <> 'd'
  union all
  select 7, 'rules', t.nspname, t.oid, format('rule %s.%s', t.name, w.rulename),
         rtrim(pg_get_ruledef(w.oid), ';'), format('drop rule %I on %s', w.rulename, t.name)
  from pg_rewrite w join tables t on t.oid = w.ev_class where w.rulename <> '_RETURN'
  union all
  select 8, 'rules', n.nspname, s.stxrelid, format('statistics %I.%I', n.nspname, s.stxname),
         pg_get_statisticsobjdef(s.oid), format('drop statistics %I.%I', n.nspname, s.stxname)
  from pg_statistic_ext s join users n on n.oid = s.stxnamespace
  union all
  select 9, 'rules', n.nspname, null, format('cast %s as %s', c.castsource::regtype, c.casttarget::regtype),
         format('create cast (%s as %s) with function %s%s', c.castsource::regtype, c.casttarget::regtype, c.castfunc::regprocedure,
           case c.castcontext when 'i' then ' as implicit' when 'a' then ' as assignment' else '' end),
         format('drop cast (%s as %s)', c.castsource::regtype, c.casttarget::regtype)
  from pg_cast c join pg_proc p on p.oid = c.castfunc join users n on n.oid = p.pronamespace
  where not exists (select from owned o where o.classid = 'pg_cast'::regclass and o.objid = c.oid)
  union all
  select 10, 'rights', r.nspname, null, format('rights on %s %s of %s', r.kind, r.name, coalesce(g.rolname, 'public')),
         format('grant %s on %s %s to %s', lower(string_agg(r.privilege_type, ', ' order by r.privilege_type)),
           r.kind, r.name, coalesce(quote_ident(g.rolname), 'public')),
         format('revoke all on %s %s from %s', r.kind, r.name, coalesce(quote_ident(g.rolname), 'public'))
  from rights r left join pg_roles g on g.oid = r.grantee group by r.nspname, r.kind, r.name, g.rolname
  union all
  select 11, 'rights', a.nspname, null,
         format('default privileges on %s in %s of %s: %s', k.name, a.nspname, coalesce(g.rolname, 'public'), a.revoked),
         format(case when a.revoked then 'alter default privileges%s revoke %s on %s from %s' else 'alter default privileges%s grant %s on %s to %s' end,
           coalesce(' in schema ' || quote_ident(nullif(a.nspname, '')), ''),
           lower(string_agg(a.privilege_type, ', ' order by a.privilege_type)), k.name, coalesce(quote_ident(g.rolname), 'public')),
         format(case when a.revoked then 'alter default privileges%s grant %s on %s to %s' else 'alter default privileges%s revoke %s on %s from %s' end,
           coalesce(' in schema ' || quote_ident(nullif(a.nspname, '')), ''),
           lower(string_agg(a.privilege_type, ', ' order by a.privilege_type)), k.name, coalesce(quote_ident(g.rolname), 'public'))
  from advance a join kinds k on k.letter = a.letter left join pg_roles g on g.oid = a.grantee
  group by a.nspname, k.name, g.rolname, a.revoked
  union all
  -- Every TrustStream sets this one up, as every Supabase project does.
  select 12, 'publications', '', null, format('publication %I', p.pubname),
         format('create publication %I%s with (publish = %L)', p.pubname, case when p.puballtables then ' for all tables' else '' end,
           concat_ws(', ', case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end,
             case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end)),
         format('drop publication %I', p.pubname)
  from pg_publication p where p.pubname <> 'supabase_realtime'
  union all
  select 13, 'publications', t.nspname, t.oid, format('publication %I of %s', p.pubname, t.name),
         format('alter publication %I add table %s%s%s', p.pubname, t.name,
           case when to_jsonb(r)->>'prattrs' is not null then (
             select format(' (%s)', string_agg(quote_ident(a.attname), ', ' order by a.attnum)) from pg_attribute a
             where a.attrelid = t.oid and a.attnum::text = any (string_to_array(to_jsonb(r)->>'prattrs', ' '))) else '' end,
           coalesce((select ' where ' || (to_jsonb(v)->>'rowfilter') from pg_publication_tables v
             where v.pubname = p.pubname and v.schemaname = t.nspname and v.tablename = t.relname), '')),
         format('alter publication %I drop table %s', p.pubname, t.name)
  from pg_publication_rel r join pg_publication p on p.oid = r.prpubid join tables t on t.oid = r.prrelid
)
select json_build_object(
  'stage', f.stage, 'schema', f.schema, 'key', f.key, 'create', f.create, 'drop', f.drop,
  'table', case when f.relation is not null then (
    select json_build_object('schema', t.nspname, 'name', t.relname) from tables t where t.oid = f.relation) end
)::text
from found f order by f.place, f.key
