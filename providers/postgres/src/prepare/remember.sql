-- What exists now; whatever is made from here on can be told from it.
delete from truststream.existing;
insert into truststream.existing select 'relation', oid from pg_class;
insert into truststream.existing select 'function', oid from pg_proc;
insert into truststream.existing select 'type', oid from pg_type;
insert into truststream.existing select 'schema', oid from pg_namespace;
insert into truststream.existing select 'migration', position::oid from truststream.migrations;
insert into truststream.existing select 'policy', oid from pg_policy;
insert into truststream.existing select 'trigger', oid from pg_trigger where not tgisinternal;
