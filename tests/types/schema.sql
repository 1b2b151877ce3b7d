-- What the fixture application has no case of: views, functions, overloads, computed columns and
-- relationships, one-to-one keys, a second schema, names that need quotes.

create schema shelf;
create type shelf.condition as enum ('mint', 'used', 'broken');

create table public.sleeves (
  album_id integer primary key references public.albums (id) on delete cascade,
  artwork text,
  "Printed On" date,
  area integer generated always as (length(artwork) * 2) stored
);

create table shelf.copies (
  id bigint generated always as identity primary key,
  state shelf.condition not null default 'mint',
  states shelf.condition[],
  near_id bigint references shelf.copies (id)
);

create view public.long_tracks with (security_invoker = true) as
  select id, title, seconds, album_id from public.tracks where seconds > 600;

create function public.add(a integer, b integer default 1) returns integer
  language sql immutable as 'select a + b';
create function public.greet() returns text language sql stable as $$ select 'hello' $$;
create function public.forget() returns void language sql as $$ delete from public.feedback $$;
create function public.longest(least integer) returns setof public.tracks
  language sql stable as 'select * from public.tracks where seconds >= least';
create function public.totals(kind public.album_kind) returns table (artist text, albums bigint)
  language sql stable as 'select a.name, count(*) from public.artists a join public.albums b on b.artist_id = a.id where b.kind = totals.kind group by a.name';
create function public.find(id bigint) returns setof public.artists rows 1
  language sql stable as 'select * from public.artists where artists.id = find.id';
create function public.find(name text) returns setof public.artists
  language sql stable as 'select * from public.artists where artists.name = find.name';

create function public.shout(track public.tracks) returns text
  language sql stable as 'select upper(track.title)';
create function public.newest(artist public.artists) returns setof public.albums rows 1
  language sql stable as 'select * from public.albums where artist_id = artist.id order by released desc limit 1';
