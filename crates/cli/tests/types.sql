-- What Rust could stumble over: names that are words of the language, labels that are no names, nulls
-- with and without a default, arrays, composite types, a second schema.
create schema shelf;
create type shelf.condition as enum ('mint', 'lightly used', '3rd hand');
create type shelf.size as (width integer, "as sold" text, state shelf.condition);
create table public.albums (
  id bigint generated always as identity primary key,
  "type" text not null,
  "Printed On" date,
  price numeric(8, 2) default 9.5,
  info jsonb,
  twice integer generated always as (length("type") * 2) stored
);
create table shelf.copies (
  id integer primary key,
  album_id bigint not null references public.albums (id),
  state shelf.condition not null default 'mint',
  states shelf.condition[],
  seen timestamptz[] not null default '{}'
);
create table shelf.boxes (
  id integer primary key,
  size shelf.size
);
create view public.priced with (security_invoker = true) as
  select id, price from public.albums where price is not null;
create function public.dear(lowest numeric) returns table (id bigint, price numeric) language sql stable
  as $$ select id, price from public.albums where price >= lowest $$;
