create function public.caption(albums) returns text language sql stable as $$
  select $1.title || coalesce(' (' || $1.artist_id || ')', '')
$$;
create function public.is_cheap(album albums) returns boolean language sql immutable as $$
  select (album).price < 10
$$;
create function public.siblings(albums) returns setof albums language sql stable as $$
  select a.* from albums a where a.artist_id = $1.artist_id and a.id <> $1.id
$$;
create function public.main_artist(albums) returns setof artists language sql stable rows 1 as $$
  select * from artists where id = $1.artist_id
$$;
create function public.divided(n int, by int, out quotient int, out rest int) language sql as $$
  select n / by, n % by
$$;
create function public.increased(n int, out more int) language sql as $$ select n + 1 $$;
create function public.both_texts(inout a text, inout b text default 'b') language sql as $$ select b, a $$;
create function public.teapot() returns int language sql as $$
  set local "response.status" = '418';
  set local "response.headers" = '[{"X-Tea": "green"}]';
  select 1;
$$;
create function public.kept(name text) returns text language sql stable as $$
  select current_setting(name, true)
$$;
create function public.put_and_kept(value text) returns text language sql as $$
  select set_config('app.kept', value, true);
  select current_setting('app.kept');
$$;
create view priced as select id, title as name, price, upper(title) as loud from albums where price is not null;
create view cheap as select id as number, name as label, price from priced where price < 10;
create view own_titles with (security_invoker = on) as select id, owner, body from notes;
grant select, insert, update, delete on priced, cheap to authenticated;
grant select (id, name), insert (id, name), update (name) on artists to anon;
