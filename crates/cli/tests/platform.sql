-- What Supabase's platform makes before a project's own, as far as a schema can see it.
create schema auth;
create schema storage;
create schema extensions;
create schema graphql_public;
grant usage on schema public, auth, storage, extensions to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
create extension pgcrypto with schema extensions;
create extension "uuid-ossp" with schema extensions;
create table auth.users (
  id uuid primary key default gen_random_uuid(), email varchar(255), phone text, raw_user_meta_data jsonb,
  created_at timestamptz, is_sso_user boolean not null default false
);
create function auth.uid() returns uuid language sql stable as
  $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create table storage.buckets (
  id text primary key, name text not null, owner uuid, created_at timestamptz default now(),
  updated_at timestamptz default now(), public boolean default false, file_size_limit bigint,
  allowed_mime_types text[], owner_id text
);
create table storage.objects (
  id uuid primary key default gen_random_uuid(), bucket_id text references storage.buckets, name text,
  owner uuid, created_at timestamptz default now(), updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(), metadata jsonb, version text, owner_id text, user_metadata jsonb
);
alter table storage.objects enable row level security;
create publication supabase_realtime;
-- What projects make in schemas of the platform.
create policy "own avatar" on storage.objects for select to authenticated using (owner = auth.uid());
create function public.greet() returns trigger language plpgsql security definer as $$ begin return new; end $$;
create trigger on_sign_up after insert on auth.users for each row execute function public.greet();
