-- Functions, views and triggers, on top of the suite's schema.

create function shout(words text, mark text default '!') returns text
  language sql immutable as $$ select upper(words) || mark $$;
create function twice(n int) returns int language sql immutable return n * 2;
create function twice(n text) returns text language sql immutable return n || n;
create function quadruple(n int) returns int language sql immutable as 'select twice(twice($1))';
create function total(variadic numbers int[]) returns bigint language sql immutable
  as 'select sum(n) from unnest(numbers) as n';
create function share(part numeric, whole numeric) returns numeric language sql immutable as 'select part / whole';
create function rest(part numeric, whole numeric) returns numeric language sql immutable as 'select part % whole';
create function only_strict(a int, b int) returns int language sql immutable strict as 'select coalesce(a, 0) + coalesce(b, 0)';
create function echo(jsonb) returns jsonb language sql immutable as 'select $1 -> ''a''';

create function albums_of(artist text) returns setof albums language sql stable
  as $$ select a.* from albums a join artists r on r.id = a.artist_id where r.name = artist $$;
create function first_album() returns albums language sql stable
  as 'select * from albums order by id limit 1';
create function no_album() returns albums language sql stable as 'select * from albums where false';
create function prices() returns setof numeric language sql stable
  as 'select price from albums where price is not null order by price';
create function statistics(first_id bigint default 0)
  returns table (artist text, albums bigint, dearest numeric, titles text[], newest timestamptz)
  language sql stable as $$
    with own as (select * from albums where id >= first_id)
    select r.name, count(o.id), max(o.price), array_agg(o.title order by o.title) filter (where o.title <> 'Two'),
           max(o.released)
    from artists r left join own o on o.artist_id = r.id
    group by r.name
    having count(o.id) > 0
  $$;
create function ranked() returns table (title text, place bigint, before text) language sql stable as $$
  select title, row_number() over (partition by artist_id order by released desc),
         lag(title) over (order by id)
  from albums
$$;
create function latest() returns table (artist_id bigint, title text) language sql stable as $$
  select distinct on (artist_id) artist_id, title from albums
  where artist_id is not null order by artist_id, released desc
$$;
create function words() returns table (word text) language sql stable as $$
  select name from artists where id < 3 union select title from albums where id = 1 union all
  select 'Ada' order by 1
$$;
create function report(artist bigint) returns jsonb language sql stable as $$
  select jsonb_build_object('name', r.name, 'titles', coalesce(jsonb_agg(a.title order by a.id), '[]'))
  from artists r left join albums a on a.artist_id = r.id where r.id = artist group by r.id, r.name
$$;
create function released_in(year int) returns setof text language sql stable as
  $$ select title from albums where extract(year from released) = year order by title $$;

create function add_artist(id bigint, name text, country text default null) returns artists language sql as $$
  insert into artists (id, name, country) values (id, add_artist.name, add_artist.country) returning *
$$;
create function rename_all(suffix text) returns setof bigint language sql as $$
  update artists set name = name || suffix where country is not null returning id
$$;
create function forget(artist bigint) returns void language sql as $$
  delete from albums using artists where artists.id = albums.artist_id and artists.id = artist;
  delete from artists where id = artist;
$$;
create function keep_genre(code text, name text) returns text language sql as $$
  insert into genres values (code, name)
  on conflict (code) do update set name = genres.name || '/' || excluded.name returning name
$$;

-- Rights.

create function secrets() returns setof text language sql stable as 'select secret from vault';
create function all_secrets() returns setof text language sql stable security definer as 'select secret from vault';
create function add_note(id bigint, owner uuid, body text) returns text language sql as
  'insert into notes (id, owner, body) values (id, owner, body) returning body';
create function drop_notes() returns setof bigint language sql as 'delete from notes returning id';
create function for_service() returns int language sql as 'select 1';
revoke execute on function for_service() from public;
grant execute on function for_service() to service_role;

create table teams (id bigint primary key, name text not null);
create table members (team_id bigint references teams (id), who uuid not null, primary key (team_id, who));
alter table teams enable row level security;
alter table members enable row level security;
create function is_member(team bigint) returns boolean language sql stable security definer set search_path = ''
  as $$ select exists (select 1 from public.members m where m.team_id = team and m.who = auth.uid()) $$;
create function my_teams() returns setof bigint language sql stable security definer
  as $$ select team_id from members where who = auth.uid() $$;
create policy "members see their teams" on teams for select to authenticated using (is_member(id));
create policy "members see one another" on members for select to authenticated
  using (team_id in (select my_teams()));

-- Views.

create view prices_by_artist as
  select artist_id, sum(price) as spent, count(*) as pieces from albums group by artist_id;
create view titles as
  select a.id, a.title, a.artist_id, a.price as cost, shout(a.title) as loud from albums a where a.title <> 'Four';
create view swedes with (security_invoker = on) as select * from artists where country = 'SE';
create view note_bodies as select id, body from notes;
create view own_notes with (security_invoker = true) as select id, body, owner from notes;
grant select on note_bodies to anon, authenticated;

-- Triggers.

create extension if not exists moddatetime with schema extensions;
create table posts (
  id bigint primary key,
  title text not null,
  slug text not null,
  words int not null default 0,
  changes int not null default 0,
  changed_at timestamptz,
  state text
);
create table history (id bigint generated by default as identity primary key, post bigint, what text not null);
create table profiles (id uuid primary key, name text, joined timestamptz not null default now());
create table accounts (id uuid primary key, meta jsonb);

create function prepare_post() returns trigger language plpgsql as $$
begin
  -- A row says by itself what it is called.
  new.slug := lower(replace(new.title, ' ', '-'));
  if new.state is null then
    new.state = 'draft';
  elsif new.state = 'silly' then
    raise exception 'post % can''t be %', new.id, new.state using errcode = 'check_violation';
  elsif new.state = 'spam' then
    return null;
  else
    new.state := upper(new.state);
  end if;
  if tg_op = 'UPDATE' then
    new.changes := old.changes + 1;
  end if;
  return new;
end;
$$;
create trigger a_prepare before insert on posts for each row execute function prepare_post();

create function count_changes() returns trigger language plpgsql as $$
begin
  new.changes := old.changes + 1;
  return new;
end
$$;
create trigger count_changes before update of title on posts
  for each row when (old.title is distinct from new.title) execute procedure count_changes();
create trigger stamp before update on posts for each row execute procedure extensions.moddatetime(changed_at);

create function note_post() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    insert into public.history (post, what) values (old.id, 'gone: ' || old.title);
    return old;
  end if;
  if new.title = 'Secret' then
    raise exception 'not this title';
  end if;
  insert into public.history (post, what) select new.id, lower(tg_op) || ': ' || new.title;
  update public.history set what = what || '!' where post = new.id and new.changes > 1;
  return new;
end;
$$;
create trigger note_post after insert or update or delete on posts for each row execute function note_post();

create function keep_published() returns trigger language plpgsql as $$
begin
  if old.state = 'PUBLISHED' then
    raise exception 'published';
  end if;
  return old;
end;
$$;
create trigger keep_published before delete on posts for each row execute function keep_published();

create function handle_new_account() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, name) values (new.id, new.meta ->> 'name')
  on conflict (id) do nothing;
  return new;
end;
$$;
create trigger on_account after insert on accounts for each row execute function handle_new_account();

create function publish(post bigint) returns setof posts language sql as $$
  update posts set state = 'PUBLISHED', title = title where id = post returning *
$$;
create function add_post(id bigint, title text) returns text language sql as $$
  insert into posts (id, title) values (id, title) returning slug
$$;
