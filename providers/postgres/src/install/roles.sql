-- Roles and schemas of an empty database, in the shape Supabase gives them.
do $$
declare wanted text;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
    begin
      execute format('create role %I nologin noinherit', wanted);
    exception when duplicate_object or unique_violation then null;
    end;
  end loop;
  begin
    alter role service_role bypassrls;
  exception when insufficient_privilege then null;
  end;
  begin
    create role authenticator login noinherit;
  exception when duplicate_object or unique_violation then null;
  end;
  begin
    grant anon, authenticated, service_role to authenticator;
    execute format('grant anon, authenticated, service_role to %I', current_user);
  exception when others then
    -- A superuser needs no grant, and a concurrent set-up may be granting the same.
    null;
  end;
end $$;

create schema if not exists auth;
create schema if not exists storage;
create schema if not exists extensions;
grant usage on schema public, auth, storage, extensions to anon, authenticated, service_role;
-- Migrations of Supabase projects count on these two: their platform brings them.
do $$
declare wanted text;
begin
  foreach wanted in array array['pgcrypto', 'uuid-ossp'] loop
    begin
      execute format('create extension if not exists %I with schema extensions', wanted);
    exception when others then null; -- not packaged here, or not allowed: nothing of ours needs it
    end;
  end loop;
end $$;

alter default privileges in schema public, auth, storage grant all on tables to service_role;
alter default privileges in schema public, auth, storage grant all on sequences to service_role;
alter default privileges in schema public, storage grant usage, select on sequences to anon, authenticated;

create or replace function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
create or replace function auth.role() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
$$;
create or replace function auth.email() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
$$;
create or replace function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), ''))::jsonb
$$;
create or replace function storage.foldername(name text) returns text[] language sql immutable as $$
  select (string_to_array(name, '/'))[1:array_length(string_to_array(name, '/'), 1) - 1]
$$;
create or replace function storage.filename(name text) returns text language sql immutable as $$
  select (string_to_array(name, '/'))[array_length(string_to_array(name, '/'), 1)]
$$;
create or replace function storage.extension(name text) returns text language sql immutable as $$
  select reverse(split_part(reverse(storage.filename(name)), '.', 1))
$$;

-- Migrations of Supabase projects add their tables to it.
do $$ begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
end $$;

insert into truststream.settings values ('set_up', 'true') on conflict do nothing;
