create type mood as enum ('ok', 'sad');
create type spot as (x int, y numeric, label varchar(8));
create type door as (x int, y int, label text);
create type stay as (at door, since timestamptz, feels mood, tags text[], done boolean);

create table places (
  id int primary key,
  at spot check ((at).x >= 0)
);
insert into places values (1, '(1,0.50,"a, b")'), (2, '(2,,"")'), (3, '(,,)'), (4, null);

create table visits (
  id int primary key,
  place_id int not null references places (id),
  stay stay,
  home door default '(0,0,home)',
  open tstzrange,
  unique (home)
);
insert into visits (id, place_id, stay)
values (1, 1, '("(3,1,c)","2024-01-02 04:04:05+01",ok,"{a,""b c""}",t)');

create view stays as
  select id, (stay).at.x, ((stay).at).label as named, (stay).at as door
  from visits where (stay).at.y is distinct from 2;

create function farthest() returns int language sql stable as $$
  select max((at).x) from places
$$;

create function labelled(x int, label text) returns setof int language sql stable as $$
  select id from places where at = row(labelled.x, 0.5, labelled.label)::spot and (at).label is not null
$$;

create function put_place(id int, x int, label text) returns places language plpgsql as $$
declare
  put places;
begin
  insert into places values (put_place.id, row(put_place.x, 1.25, put_place.label)::spot);
  select * into put from places where places.id = put_place.id;
  return put;
end $$;

create function door_at(x int, y int) returns door language sql stable as $$
  select row(x, y, null)::door
$$;
