-- Schemas, enums, composite types, representations and media type handlers, as one JSON object.
select json_build_object(
  'schemas', (
    select json_object_agg(n.nspname, obj_description(n.oid, 'pg_namespace') order by n.nspname)
    from pg_namespace n where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')),
  'enums', coalesce((
    select json_agg(json_build_array(json_build_object('schema', e.nspname, 'name', e.typname), e.labels))
    from (
      select n.nspname, t.typname, json_agg(l.enumlabel order by l.enumsortorder) as labels
      from pg_enum l join pg_type t on t.oid = l.enumtypid join pg_namespace n on n.oid = t.typnamespace
      group by n.nspname, t.typname order by n.nspname, t.typname
    ) e), '[]'),
  'composites', coalesce((
    select json_agg(json_build_array(json_build_object('schema', n.nspname, 'name', c.relname), (
        select coalesce(json_agg(json_build_object(
          'name', a.attname, 'type_name', format_type(a.atttypid, a.atttypmod)) order by a.attnum), '[]')
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))
      order by n.nspname, c.relname)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'c' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')), '[]'),
  'representations', coalesce((
    select json_agg(json_build_array(
      c.castsource::regtype::text, c.casttarget::regtype::text, c.castfunc::regproc::text))
    from pg_cast c
    join pg_type s on s.oid = c.castsource
    join pg_type t on t.oid = c.casttarget
    where c.castcontext = 'i' and c.castmethod = 'f' and has_function_privilege(c.castfunc, 'execute')
      and (s.typtype = 'd' and c.casttarget in ('json'::regtype, 'text'::regtype)
        or t.typtype = 'd' and c.castsource in ('json'::regtype, 'text'::regtype))), '[]'),
  'handlers', coalesce((
    select json_agg(json_build_object(
      'function', json_build_object('schema', h.schema, 'name', h.name),
      'target', case when h.target_name <> 'anyelement'
        then json_build_object('schema', h.target_schema, 'name', h.target_name) end,
      'media_type', h.media_type,
      'made', case h.media_type when '*/*' then 'application/octet-stream' else h.media_type end))
    from (
      with media as (
        select t.oid, lower(t.typname) as media_type, n.nspname as schema
        from pg_type t join pg_namespace n on n.oid = t.typnamespace
        where t.typbasetype <> 0
          and (t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or t.typname = '*/*')
      )
      select n.nspname as schema, p.proname as name, an.nspname as target_schema, a.typname as target_name, m.media_type
      from media m
      join pg_proc p on p.prorettype = m.oid and p.prokind = 'a' and p.pronargs = 1
      join pg_namespace n on n.oid = p.pronamespace
      join pg_type a on a.oid = p.proargtypes[0]
      join pg_namespace an on an.oid = a.typnamespace
      where a.typname = 'anyelement' or a.typrelid <> 0
      union
      select m.schema, m.media_type, n.nspname, p.proname, m.media_type
      from media m
      join pg_proc p on p.prorettype = m.oid and p.prokind = 'f' and not p.proretset
      join pg_namespace n on n.oid = p.pronamespace
    ) h), '[]')
)::text
