-- Tables of all schemas but PostgreSQL's and TrustStream's own, with their names as text.
select n.nspname::text, c.relname::text, format('%I.%I', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
