//! The tables of the storage engine, in the shape Supabase gives them.

/// Migrations of the storage engine: name and PostgreSQL SQL.
pub const MIGRATIONS: &[(&str, &str)] = &[
    ("truststream_storage_0001", TABLES),
    ("truststream_storage_0002", OPERATIONS),
    ("truststream_storage_0003", PATHS),
];

const TABLES: &str = "
create schema if not exists storage;
create table if not exists storage.buckets (
    id text primary key,
    name text not null unique,
    owner uuid,
    owner_id text,
    public boolean not null default false,
    avif_autodetection boolean default false,
    file_size_limit bigint,
    allowed_mime_types text[],
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create table if not exists storage.objects (
    id uuid primary key default gen_random_uuid(),
    bucket_id text references storage.buckets (id),
    name text,
    owner uuid,
    owner_id text,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    last_accessed_at timestamptz default now(),
    metadata jsonb,
    version text,
    user_metadata jsonb
);
create unique index if not exists bucketid_objname on storage.objects (bucket_id, name);
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
";

/// What policies ask for the operation by, as in Supabase Storage since its migration
/// `operation-ergonomics`: names may be given with or without `storage.` before them.
const OPERATIONS: &str = "
create or replace function storage.operation() returns text language sql stable as $$
    select current_setting('storage.operation', true)
$$;
create or replace function storage.allow_any_operation(expected_operations text[]) returns boolean
language sql stable as $$
    select coalesce(storage.operation() <> '' and (
        storage.operation() = any(expected_operations)
        or 'storage.' || storage.operation() = any(expected_operations)
        or (storage.operation() like 'storage.%' and right(storage.operation(), -8) = any(expected_operations))
    ), false)
$$;
create or replace function storage.allow_only_operation(expected_operation text) returns boolean
language sql stable as $$
    select coalesce(storage.operation() <> '' and (
        storage.operation() = expected_operation
        or 'storage.' || storage.operation() = expected_operation
        or (storage.operation() like 'storage.%' and right(storage.operation(), -8) = expected_operation)
    ), false)
$$;
";

/// The folders and the name of an object, which policies and indexes of older projects use.
const PATHS: &str = "
alter table storage.objects
    add column if not exists path_tokens text[] generated always as (string_to_array(name, '/')) stored;
";
