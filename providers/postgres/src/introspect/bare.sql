-- What the set-up of an empty database grants in advance, taken back.
delete from truststream.settings where name = 'set_up';
alter default privileges in schema public, auth, storage revoke all on tables from service_role;
alter default privileges in schema public, auth, storage revoke all on sequences from service_role;
alter default privileges in schema public, storage revoke usage, select on sequences from anon, authenticated;
