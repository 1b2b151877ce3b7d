-- A number that differs once anything differs that the schema is read from. Rows of the catalogs get
-- a new xmin whenever they change; truncating, analysing and temporary tables don't count.
with relations as (
  select c.oid, hashtext(concat_ws(' ', c.relname, c.relnamespace, c.relkind, c.relrowsecurity, c.relacl)) as hash
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid >= 16384 and c.relkind in ('r', 'v', 'm', 'f', 'p', 'c') and n.nspname !~ '^pg_' and n.nspname <> 'truststream'
),
parts as (
  select 1 as part, oid, hash::bigint as seen from relations
  union all select 2, a.attrelid, (a.attnum::bigint << 32) + a.xmin::text::bigint from pg_attribute a join relations r on r.oid = a.attrelid
  union all select 3, c.oid, c.xmin::text::bigint from pg_constraint c join relations r on r.oid = c.conrelid
  union all select 4, p.oid, p.xmin::text::bigint from pg_policy p join relations r on r.oid = p.polrelid
  union all select 5, w.oid, w.xmin::text::bigint from pg_rewrite w join relations r on r.oid = w.ev_class
  union all select 6, i.indexrelid, i.xmin::text::bigint from pg_index i join relations r on r.oid = i.indrelid
  union all select 7, d.oid, d.xmin::text::bigint from pg_attrdef d join relations r on r.oid = d.adrelid
  union all select 8, p.oid, p.xmin::text::bigint from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.oid >= 16384 and n.nspname <> 'truststream'
  union all select 9, t.oid, t.xmin::text::bigint from pg_type t where t.oid >= 16384 and t.typtype in ('d', 'e')
  union all select 10, oid, xmin::text::bigint from pg_enum
  union all select 11, oid, xmin::text::bigint from pg_namespace where nspname !~ '^pg_'
  union all select 12, oid, xmin::text::bigint from pg_cast where oid >= 16384
  union all select 13, objoid, xmin::text::bigint from pg_description where objoid >= 16384
  union all select 14, t.oid, t.xmin::text::bigint from pg_trigger t join relations r on r.oid = t.tgrelid
    where t.tgname !~ '^truststream_' and not t.tgisinternal
  union all select 15, setrole, xmin::text::bigint from pg_db_role_setting
  union all select 16, member, xmin::text::bigint from pg_auth_members
)
select concat_ws(':', count(*), sum(hashtextextended(concat_ws(' ', part, oid, seen), 0)))::text from parts
