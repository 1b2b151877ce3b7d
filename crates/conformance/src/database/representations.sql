create domain color as integer check (value >= 0 and value <= 16777215);
create domain epoch as timestamptz;
create domain title as text;
create domain code as text;

create function color(text) returns color language sql immutable as $$
  select (('x' || lpad(case when substring($1, 1, 1) = '#' then substring($1, 2) else $1 end, 8, '0'))::bit(32)::int)::color
$$;
create function color(json) returns color language sql immutable as $$
  select color($1 #>> '{}')
$$;
create function color_shown(color) returns json language sql immutable as $$
  select case when $1 is null then to_json(''::text) else to_json('#' || lpad(upper(to_hex($1)), 6, '0')) end
$$;
create cast (color as json) with function color_shown(color) as implicit;
create cast (json as color) with function color(json) as implicit;
create cast (text as color) with function color(text) as implicit;

create function epoch_read(json) returns epoch language sql immutable strict as $$
  select to_timestamp(($1 #>> '{}')::numeric)
$$;
create function epoch_shown(epoch) returns json language sql immutable as $$
  select to_json(extract(epoch from $1)::bigint)
$$;
create cast (epoch as json) with function epoch_shown(epoch) as implicit;
create cast (json as epoch) with function epoch_read as implicit;

create function title_shown(title) returns json language sql immutable as $$
  select to_json(initcap($1::text))
$$;
create cast (title as json) with function title_shown(title) as implicit;

create function code_read(given json) returns code language plpgsql immutable as $$
begin
  if length(given #>> '{}') > 4 then
    raise exception 'no code: %', given #>> '{}' using errcode = '22023';
  end if;
  return upper(given #>> '{}');
end $$;
create cast (json as code) with function code_read(json) as implicit;

create table paints (
  id int primary key,
  name title,
  shade color default 255,
  mixed epoch default '2017-12-14 01:02:30+00',
  code code unique
);
insert into paints (id, name, shade, mixed, code) values
  (1, 'deep red', 16711680, '2020-01-01 00:00:00+00', 'RED'),
  (2, 'BLACK', 0, '2021-01-01 00:00:00+00', 'INK'),
  (3, null, null, null, null);

create table walls (id int primary key, paint_id int references paints (id));
insert into walls values (1, 1), (2, 3);

create view tints as
  select id, name as label, shade, (shade / 2)::color as half, coalesce(shade, shade) as same, shade + 1 as next
  from paints;

create function darker(than int) returns setof paints language sql stable as $$
  select * from paints where shade < than
$$;
