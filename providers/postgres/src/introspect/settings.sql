-- What roles have set that counts for requests, as one JSON object. Units are those of `set_config`.
with stored as (
  select r.rolname as role, r.oid, c.setting, s.setdatabase <> 0 as here
  from pg_db_role_setting s
  join pg_roles r on r.oid = s.setrole
  cross join lateral unnest(s.setconfig) as c(setting)
  where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
),
-- What is set for this database counts before what is set for all.
settings as (
  select distinct on (s.role, n.name) s.role, s.oid, n.name, substr(s.setting, strpos(s.setting, '=') + 1) as value
  from stored s, lateral (select split_part(s.setting, '=', 1) as name) n
  order by s.role, n.name, s.here desc
),
milliseconds as (
  select *, case
    when name <> 'statement_timeout' then null
    when value ~ '^\d+$' then value::bigint
    when value ~ '^[\d.]+ *(us|ms|s|min|h|d)$' then (extract(epoch from value::interval) * 1000)::bigint
  end as timeout
  from settings
),
-- What runs when something is read. Names may be put together: all that begins like one counts.
bodies as (
  select p.prosrc as text, to_jsonb(p) ->> 'prosqlbody' as tree from pg_proc p
  join pg_language l on l.oid = p.prolang
  where l.lanname not in ('c', 'internal')
    and p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
),
-- As they are stored: to print them, the tables they read would be locked. Texts are bytes there.
trees as (
  select tree from bodies where tree is not null
  union all
  select r.ev_action::text from pg_rewrite r join pg_class c on c.oid = r.ev_class
  -- Of the views that come with the server the trees are long, and would be looked through first.
  where r.ev_class >= 16384 and c.relkind = 'v' and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  union all
  select polqual::text from pg_policy
)
select json_build_object(
  'reads_request', exists (select from bodies where text ~ 'request\.(?!jwt)')
    or exists (select from trees where tree ~ '114 101 113 117 101 115 116 46 (?!106 119 116 )'),
  -- What a session of the connecting role has, whatever set it.
  'statement_timeout', (select reset_val::bigint from pg_settings where name = 'statement_timeout'),
  'roles', coalesce((
    select json_object_agg(role, json_build_object('isolation', isolation, 'statement_timeout', timeout, 'others', others))
    from (
      select s.role, max(lower(s.value)) filter (where s.name = 'default_transaction_isolation') as isolation,
             max(s.timeout) as timeout,
             coalesce(json_agg(json_build_array(s.name, s.value) order by s.name) filter (
               where s.name not in ('default_transaction_isolation', 'statement_timeout')), '[]') as others
      from milliseconds s
      join pg_settings known on known.name = s.name
      where s.oid <> current_user::regrole::oid and pg_has_role(current_user, s.oid, 'member')
        -- What only superusers may set, and what would change whose request it is or what names mean.
        and known.context = 'user' and s.name not in ('role', 'session_authorization', 'search_path')
      group by s.role
    ) r), '{}'),
  'own', coalesce((
    select json_object_agg(substr(name, 7), value) from settings
    where oid = current_user::regrole::oid and name like 'pgrst.%'), '{}')
)::text
