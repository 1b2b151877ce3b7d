create table events (id int not null, kind text, year int, primary key (id, kind, year)) partition by list (kind);
create table events_a partition of events for values in ('a') partition by range (year);
create table events_a_old partition of events_a for values from (minvalue) to (2000);
create table events_a_new partition of events_a for values from (2000) to (2030);
create table events_rest partition of events default;

create function count_a() returns text language sql stable as $$
  select (select count(*) from events_a)::text || ' ' || (select count(*) from events_a_old)::text
$$;
create function put_a(given int, of_kind text, of_year int) returns void language sql as $$
  insert into events_a values (given, of_kind, of_year)
$$;
create function put_a_old(given int, of_kind text, of_year int) returns void language sql as $$
  insert into events_a_old values (given, of_kind, of_year)
$$;
create function age_a(given int, to_year int) returns void language sql as $$
  update events_a set year = to_year where id = given
$$;
create function age_a_new(given int, to_year int) returns void language sql as $$
  update events_a_new set year = to_year where id = given
$$;
create function turn_a(given int, to_kind text, to_year int) returns void language sql as $$
  update events_a set year = to_year, kind = to_kind where id = given
$$;
