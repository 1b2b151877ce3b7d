create table rooms (
  id int not null,
  owner uuid not null,
  kind text not null,
  rank int not null default 0,
  primary key (id, kind)
) partition by list (kind);
create table rooms_open partition of rooms for values in ('open');
create table rooms_shut partition of rooms for values in ('shut') partition by range (id);
create table rooms_shut_low partition of rooms_shut for values from (minvalue) to (100);
create table guests (who uuid primary key, room int not null);
alter table rooms enable row level security;
alter table rooms_open enable row level security;
alter table rooms_shut enable row level security;
alter table guests enable row level security;
create policy own on rooms using (owner = auth.uid());
create policy guests on rooms_open for select using (id in (select room from guests where who = auth.uid()) or rank > 5);
create policy keep on rooms_open for insert with check (rank < 5);
create policy lift on rooms_open for update using (rank > 0) with check (rank < 10);
create policy few on rooms_open as restrictive for delete to authenticated using (rank = 7);
create policy gone on rooms_open for delete using (true);
create policy shut on rooms_shut for select to authenticated using (rank = 1);
create policy mine on guests using (who = auth.uid());
grant select on rooms_shut_low to authenticated;

create function seen() returns text stable language sql as $$
  select (select count(*) from rooms)::text || ' ' || (select count(*) from rooms_open)::text
    || ' ' || (select count(*) from rooms_shut)::text || ' ' || (select count(*) from rooms_shut_low)::text
$$;
create function put_open(given int, given_rank int) returns void language sql as $$
  insert into rooms_open values (given, '00000000-0000-4000-8000-000000000001', 'open', given_rank)
$$;
create function put_and_see(given int, given_rank int) returns int language sql as $$
  insert into rooms_open values (given, '00000000-0000-4000-8000-000000000001', 'open', given_rank) returning rank
$$;
create function lift_open(by_rank int) returns text language plpgsql as $$
declare
  many int;
begin
  update rooms_open set rank = rank + by_rank where rank >= 0;
  get diagnostics many = row_count;
  return many::text;
end $$;
create function put_shut(given int) returns void language sql as $$
  insert into rooms_shut values (given, '00000000-0000-4000-8000-000000000001', 'shut', 1)
$$;
create function clear_open() returns text language plpgsql as $$
declare
  many int;
begin
  delete from rooms_open where rank >= 0;
  get diagnostics many = row_count;
  return many::text;
end $$;
