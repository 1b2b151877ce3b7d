-- Tables with row-level security are opened to the roles of requests, once: their policies decide.
-- A table that this migration itself revokes from is left as it says.
with candidates as (
  select c.oid, n.nspname, c.relname
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream', 'auth', 'extensions')
    and (c.relkind in ('r', 'p') and c.relrowsecurity
      or c.relkind = 'v' and coalesce(c.reloptions::text ~* 'security_invoker=(true|on|1)', false))
    and not exists (select from truststream.opened o where o.relation = c.oid)
)
select format('grant all on table %I.%I to anon, authenticated', nspname, relname), oid::text, relname
from candidates
