-- What this database gives in advance to the roles of requests, in schemas that every database has:
-- platforms do so before the first migration.
select format('alter default privileges%s grant %s on %s to %s',
         coalesce(' in schema ' || quote_ident(n.nspname), ''),
         string_agg(x.privilege_type, ', ' order by x.privilege_type), k.name,
         g.rolname)
from pg_default_acl d
left join pg_namespace n on n.oid = d.defaclnamespace
join (values ('r'::"char", 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types')) k(letter, name)
  on k.letter = d.defaclobjtype,
aclexplode(d.defaclacl) x
join pg_roles g on g.oid = x.grantee
where d.defaclrole = current_user::regrole and g.rolname in ('anon', 'authenticated', 'service_role')
  and (d.defaclnamespace = 0 or n.nspname in ('public', 'auth', 'storage'))
group by n.nspname, k.name, g.rolname
order by 1
